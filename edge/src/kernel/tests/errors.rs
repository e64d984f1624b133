//! Where it attaches by itself, and what it says when it cannot.

use super::harness::*;
use super::namespace::{DEVICE, Pair};
use crate::config::{self, ShieldMode};
use crate::kernel::{AttachMode, Shield, ShieldError};

fn on(interfaces: &[&str], mode: ShieldMode) -> config::Shield {
    config::Shield {
        mode,
        interfaces: interfaces.iter().map(|&name| name.to_owned()).collect(),
        ..config(None, None)
    }
}

fn attach(pair: &Pair, config: &config::Shield) -> Result<Shield, ShieldError> {
    pair.on_host(|| Shield::attach(config, &PORTS))
}

fn modes(shield: &Shield) -> Vec<(&str, AttachMode)> {
    let attachments = shield.attachments().iter();
    attachments
        .map(|attachment| (attachment.interface(), attachment.mode()))
        .collect()
}

#[test]
fn without_a_name_it_takes_the_interface_of_the_default_route() {
    let pair = Pair::new();
    let nameless = on(&[], ShieldMode::Auto);
    let error = attach(&pair, &nameless).map(drop).unwrap_err();
    assert!(matches!(error, ShieldError::NoDefaultRoute), "{error}");

    pair.ip_on_host(&["route", "add", "default", "via", "10.99.0.2"]);
    let shield = attach(&pair, &nameless).unwrap();
    assert_eq!(modes(&shield), [(DEVICE, AttachMode::Native)]);
}

#[test]
fn a_driver_without_xdp_gets_the_generic_kind_unless_that_is_ruled_out() {
    let pair = Pair::new();
    let shield = attach(&pair, &on(&["lo", DEVICE], ShieldMode::Auto)).unwrap();
    assert_eq!(
        modes(&shield),
        [("lo", AttachMode::Generic), (DEVICE, AttachMode::Native)]
    );
    drop(shield);

    let shield = attach(&pair, &on(&[DEVICE], ShieldMode::Generic)).unwrap();
    assert_eq!(modes(&shield), [(DEVICE, AttachMode::Generic)]);
    drop(shield);

    let error = attach(&pair, &on(&["lo"], ShieldMode::Native))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&error, ShieldError::Attach { interface, mode: "native", .. } if interface == "lo"),
        "{error}"
    );
    assert!(error.to_string().contains("mode = \"generic\""), "{error}");
}

#[test]
fn another_program_is_left_alone() {
    let pair = Pair::new();
    let config = on(&[DEVICE], ShieldMode::Auto);
    let first = attach(&pair, &config).unwrap();
    for mode in [ShieldMode::Auto, ShieldMode::Native, ShieldMode::Generic] {
        let error = attach(&pair, &on(&[DEVICE], mode)).map(drop).unwrap_err();
        assert!(
            matches!(&error, ShieldError::Occupied { interface, by } if interface == DEVICE && by.contains("process")),
            "{error}"
        );
    }
    // As a child has it between fork and exec.
    let of_a_child = first.attachments()[0].link().try_clone_to_owned().unwrap();
    drop(first);
    attach(&pair, &config).unwrap();
    drop(of_a_child);
}

#[test]
fn several_interfaces_are_all_or_none() {
    let pair = Pair::new();
    let error = attach(&pair, &on(&[DEVICE, "nosuch0"], ShieldMode::Auto))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&error, ShieldError::NoInterface { interface } if interface == "nosuch0"),
        "{error}"
    );
    attach(&pair, &on(&[DEVICE], ShieldMode::Auto)).expect("nothing was left attached");
}

#[test]
fn an_interface_without_ethernet_is_refused() {
    let pair = Pair::new();
    pair.ip_on_host(&["tuntap", "add", "dev", "tun9", "mode", "tun"]);
    let error = attach(&pair, &on(&["tun9"], ShieldMode::Auto))
        .map(drop)
        .unwrap_err();
    assert!(
        matches!(&error, ShieldError::NotEthernet { interface } if interface == "tun9"),
        "{error}"
    );
}

#[test]
fn switched_off_is_not_attached() {
    let error = Shield::attach(&on(&["lo"], ShieldMode::Off), &PORTS)
        .map(drop)
        .unwrap_err();
    assert!(matches!(error, ShieldError::Off), "{error}");
}

#[test]
fn without_the_capabilities_the_error_names_them() {
    use caps::{CapSet, Capability::*};

    for missing in [CAP_BPF, CAP_PERFMON] {
        let error = std::thread::spawn(move || {
            for right in [missing, CAP_SYS_ADMIN] {
                caps::drop(None, CapSet::Effective, right).unwrap();
            }
            Shield::attach(&on(&["lo"], ShieldMode::Auto), &PORTS)
                .map(drop)
                .unwrap_err()
        })
        .join()
        .unwrap();
        assert!(
            matches!(error, ShieldError::NoPermission { .. }),
            "{missing}: {error}"
        );
        let text = error.to_string();
        assert!(text.contains(&missing.to_string()), "{text}");
    }
}

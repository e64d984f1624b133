//! nginx with the same folder.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Process, free_port, wait_until};

pub(super) struct Nginx {
    pub(super) address: SocketAddr,
    _process: Process,
}

impl Nginx {
    /// Serves `www` in `dir` as its defaults have it.
    pub(super) fn start(dir: &Path) -> Nginx {
        Nginx::with(dir, "")
    }

    /// Serves `www` in `dir` with these directives of the server.
    pub(super) fn with(dir: &Path, directives: &str) -> Nginx {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let dir = dir.display();
        let config = format!(
            "daemon off; user root; master_process off; pid {dir}/nginx.pid; error_log stderr;\n\
             events {{}}\n\
             http {{ access_log off; client_body_temp_path {dir}/nginx-body;\n\
             proxy_temp_path {dir}/nginx-proxy; fastcgi_temp_path {dir}/nginx-fastcgi;\n\
             uwsgi_temp_path {dir}/nginx-uwsgi; scgi_temp_path {dir}/nginx-scgi;\n\
             server {{ listen {address}; root {dir}/www; index index.html; {directives} }} }}\n"
        );
        let path = format!("{dir}/nginx.conf");
        std::fs::write(&path, config).expect("our own folder");
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-e").arg("stderr").arg("-c").arg(&path);
        let process = Process::start("nginx", command);
        let listens = || std::net::TcpStream::connect(address).is_ok();
        assert!(
            wait_until(Duration::from_secs(20), listens),
            "nginx listens"
        );
        Nginx {
            address,
            _process: process,
        }
    }
}

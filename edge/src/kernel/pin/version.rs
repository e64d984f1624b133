//! The maps of one layout.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use aya::maps::{Map, MapData, MapInfo};
use aya::{Ebpf, EbpfLoader};
use edge_common::{LAYOUT, ListOrigin};

use super::super::{list, sys};
use super::PinDirectory;
use super::links::{self, PinnedLink};
use super::remove::{NEW, remove_version};

/// The directory of this program's layout, complete.
#[derive(Debug)]
pub(in crate::kernel) struct Version {
    path: PathBuf,
    /// Of other layouts, whose links may still be in force.
    others: Vec<PathBuf>,
    /// The maps are those of an earlier run.
    is_old: bool,
    /// No run before this one has left anything.
    is_first: bool,
}

impl Version {
    /// Finds the maps of an earlier run, if they are exactly what this program's would be, or gives
    /// names to new ones.
    pub(in crate::kernel) fn adopt(
        directory: &PinDirectory,
        fresh: &mut Ebpf,
    ) -> io::Result<Version> {
        let path = version_path(directory.path());
        remove_version(&directory.path().join(NEW))?;
        let is_old = is_alike(&path, fresh);
        if !is_old {
            let new = directory.path().join(NEW);
            DirBuilder::new().mode(0o700).create(&new)?;
            for (name, map) in survivors(fresh) {
                map.pin(new.join(name)).map_err(io::Error::other)?;
            }
            if path.exists() {
                // The same number, and yet another layout: a build of a developer's.
                fs::rename(&path, unused(&path))?;
            }
            fs::rename(&new, &path)?;
        }
        let others = directory.versions()?;
        let others: Vec<PathBuf> = others.into_iter().filter(|other| *other != path).collect();
        Ok(Version {
            is_first: !is_old && others.is_empty(),
            others,
            path,
            is_old,
        })
    }

    /// Where it is.
    pub(in crate::kernel) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the maps were there already.
    pub(in crate::kernel) fn is_old(&self) -> bool {
        self.is_old
    }

    /// Whether nobody's bans and lists are in it.
    pub(in crate::kernel) fn is_first(&self) -> bool {
        self.is_first
    }

    /// Takes the directory away, and the links in it.
    pub(in crate::kernel) fn remove(&self) -> io::Result<()> {
        remove_version(&self.path).map(drop)
    }

    /// Tells a loader to use the maps that have names.
    pub(in crate::kernel) fn maps<'a>(&self, loader: &mut EbpfLoader<'a>, names: &'a [String]) {
        for name in names {
            loader.map_pin_path(name, self.path.join(name));
        }
    }

    /// The links of earlier runs, of whatever layout.
    pub(in crate::kernel) fn links(&self) -> io::Result<Vec<PinnedLink>> {
        let mut found = links::links(&self.path)?;
        for other in &self.others {
            found.extend(links::links(other)?);
        }
        Ok(found)
    }

    /// A map of every other layout.
    pub(in crate::kernel) fn of_others(&self, map: &str) -> Vec<OldMap> {
        let others = self.others.iter();
        others
            .filter_map(|other| OldMap::open(&other.join(map)))
            .collect()
    }

    /// Removes what other layouts left; once no link needs it.
    pub(in crate::kernel) fn remove_others(&mut self) -> io::Result<()> {
        let removed = self.others.drain(..).map(|other| remove_version(&other));
        let outcomes: Vec<_> = removed.collect();
        outcomes
            .into_iter()
            .try_for_each(|outcome| outcome.map(drop))
    }
}

/// Where this program's layout is in a pin directory.
pub(in crate::kernel) fn version_path(pin: &Path) -> PathBuf {
    pin.join(format!("v{LAYOUT}"))
}

/// Keys and values of a map, as bytes.
pub(in crate::kernel) type OldEntries = Vec<(Vec<u8>, Vec<u8>)>;

/// A map of a layout that this program does not know: bytes.
pub(in crate::kernel) struct OldMap {
    map: MapData,
    info: MapInfo,
}

impl OldMap {
    pub(super) fn open(path: &Path) -> Option<OldMap> {
        let map = MapData::from_pin(path).ok()?;
        let info = map.info().ok()?;
        Some(OldMap { map, info })
    }

    /// Takes the entries of a list's trie out of it, until then.
    pub(super) fn empty(&self, until_ns: u64) -> io::Result<()> {
        let key_bytes = self.info.key_size() as usize;
        match key_bytes > 0 && self.info.value_size() as usize == size_of::<ListOrigin>() {
            true => list::empty(self.map.fd(), key_bytes, until_ns),
            false => Ok(()),
        }
    }

    /// Its keys and values, as bytes.
    pub(in crate::kernel) fn entries(&self) -> io::Result<OldEntries> {
        let key_bytes = self.info.key_size() as usize;
        let value_bytes = self.info.value_size() as usize;
        if key_bytes == 0 || value_bytes == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let (keys, values) = sys::entries(self.map.fd(), key_bytes, value_bytes)?;
        let keys = keys.chunks_exact(key_bytes).map(<[u8]>::to_vec);
        let values = values.chunks_exact(value_bytes).map(<[u8]>::to_vec);
        Ok(keys.zip(values).collect())
    }
}

/// The names of the maps that outlive the process.
pub(in crate::kernel) fn names(fresh: &mut Ebpf) -> Vec<String> {
    let survivors = survivors(fresh);
    survivors.map(|(name, _)| name.to_owned()).collect()
}

/// The maps that outlive the process: not those the compiler made, and not sockets, which end with
/// it.
fn survivors(ebpf: &mut Ebpf) -> impl Iterator<Item = (&str, &Map)> {
    ebpf.maps().filter(|(name, map)| {
        !name.contains('.')
            && !name.starts_with("AYA_")
            && !matches!(
                map,
                Map::ReusePortSockArray(_) | Map::SockMap(_) | Map::SockHash(_)
            )
    })
}

/// Whether the pinned maps are what the fresh ones are: the same ones, of the same shape.
fn is_alike(path: &Path, fresh: &mut Ebpf) -> bool {
    survivors(fresh).all(|(name, map)| {
        let there = MapInfo::from_pin(path.join(name));
        let wanted = data(map).and_then(|map| map.info().ok());
        match (there, wanted) {
            (Ok(there), Some(wanted)) => shape(&there) == shape(&wanted),
            _ => false,
        }
    })
}

fn shape(map: &MapInfo) -> (Option<u32>, [u32; 4]) {
    let kind = map.map_type().ok().map(|kind| kind as u32);
    let sizes = [
        map.key_size(),
        map.value_size(),
        map.max_entries(),
        map.map_flags(),
    ];
    (kind, sizes)
}

fn data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(map)
        | Map::HashMap(map)
        | Map::LpmTrie(map)
        | Map::LruHashMap(map)
        | Map::PerCpuArray(map)
        | Map::PerCpuHashMap(map)
        | Map::PerCpuLruHashMap(map)
        | Map::RingBuf(map)
        | Map::ArrayOfMaps(map)
        | Map::HashOfMaps(map) => Some(map),
        _ => None,
    }
}

/// A name beside the path that nothing has.
fn unused(path: &Path) -> PathBuf {
    (1..)
        .map(|number| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{name}-{number}"))
        })
        .find(|path| !path.exists())
        .expect("there are more numbers than files")
}

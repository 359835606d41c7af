//! Files that hold secrets: read into memory that is wiped, and several of them as of one moment.
//!
//! Kubernetes writes a mounted Secret into a new directory and then points the symbolic link
//! `..data` at it (`kubernetes/kubernetes`, `pkg/volume/util/atomic_writer.go`); the visible files
//! are links through `..data`. Reading each through the links may give halves of two Secrets, so
//! `..data` is followed once and asked again afterwards.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The link that Kubernetes swaps.
const DATA: &str = "..data";
/// Largest file that is read: security tokens are a few kilobytes.
const MAX_SIZE: usize = 64 << 10;
/// How often a directory that is swapped while it is read is read again.
const TRIES: u32 = 3;

/// A directory of secret files, as of one moment.
pub(super) struct Directory {
    path: PathBuf,
}

/// Reads several files of `directory` as of one moment.
///
/// # Errors
/// What `read` says, or that the directory is swapped all the time.
pub(super) fn consistent<T>(
    directory: &Path,
    read: impl Fn(&Directory) -> Result<T, String>,
) -> Result<T, String> {
    for _ in 0..TRIES {
        let data = directory.join(DATA).read_link().ok();
        let files = Directory {
            path: data
                .as_ref()
                .map_or_else(|| directory.to_owned(), |data| directory.join(data)),
        };
        let outcome = read(&files);
        if directory.join(DATA).read_link().ok() == data {
            return outcome;
        }
    }
    Err(format!("{} changes while it is read.", directory.display()))
}

impl Directory {
    /// A file's text without the line end that editors and `echo` add.
    pub(super) fn required(&self, name: &str) -> Result<Zeroizing<String>, String> {
        let path = self.path.join(name);
        let mut text = text(&path)?;
        let end = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(end);
        if text.trim().is_empty() {
            return Err(format!("{} is empty.", path.display()));
        }
        Ok(text)
    }

    /// The same, for a file that need not be there.
    pub(super) fn optional(&self, name: &str) -> Result<Option<Zeroizing<String>>, String> {
        if self.path.join(name).exists() {
            self.required(name).map(Some)
        } else {
            Ok(None)
        }
    }
}

/// A whole file, within bounds, in memory that is wiped.
///
/// # Errors
/// One sentence with the path and never the content.
pub(super) fn text(path: &Path) -> Result<Zeroizing<String>, String> {
    let unreadable =
        |fault: std::io::Error| format!("{} cannot be read ({}).", path.display(), fault.kind());
    let file = File::open(path).map_err(unreadable)?;
    // One buffer that never grows: growing would leave a copy of the secret in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SIZE + 1));
    file.take(MAX_SIZE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() > MAX_SIZE {
        return Err(format!(
            "{} is larger than {MAX_SIZE} bytes.",
            path.display()
        ));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(format!("{} is not UTF-8.", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// Swaps `..data` as the kubelet does.
    fn publish(directory: &Path, generation: &str, value: &str) {
        let fresh = directory.join(generation);
        fs::create_dir(&fresh).unwrap();
        for name in ["a", "b"] {
            fs::write(fresh.join(name), value).unwrap();
        }
        let link = directory.join("..data_tmp");
        symlink(generation, &link).unwrap();
        fs::rename(link, directory.join(DATA)).unwrap();
    }

    #[test]
    fn a_swap_between_two_files_gives_both_of_the_new_one() {
        let directory = tempfile::tempdir().unwrap();
        publish(directory.path(), "..1", "old");
        let swapped = Cell::new(false);
        let (a, b) = consistent(directory.path(), |files| {
            let a = files.required("a")?;
            if !swapped.replace(true) {
                publish(directory.path(), "..2", "new");
                // As the kubelet does right after the swap.
                fs::remove_dir_all(directory.path().join("..1")).unwrap();
            }
            Ok((a, files.required("b")?))
        })
        .unwrap();
        assert_eq!((a.as_str(), b.as_str()), ("new", "new"));
    }

    #[test]
    fn a_directory_that_never_rests_is_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let count = Cell::new(0);
        let why = consistent(directory.path(), |_| {
            count.set(count.get() + 1);
            publish(directory.path(), &format!("..{}", count.get()), "x");
            Ok(())
        })
        .unwrap_err();
        assert!(why.contains("changes while it is read"), "{why}");
    }

    #[test]
    fn only_line_ends_are_cut_and_bounds_hold() {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &[u8]| fs::write(directory.path().join(name), text).unwrap();
        put("plain", b" pass word \r\n\n");
        put("blank", b" \n");
        put("huge", &vec![b'x'; MAX_SIZE + 1]);
        put("binary", &[0xff, 0xfe]);
        let read = |name: &str| consistent(directory.path(), |files| files.required(name));
        assert_eq!(read("plain").unwrap().as_str(), " pass word ");
        for (name, what) in [
            ("blank", "is empty"),
            ("huge", "is larger"),
            ("binary", "is not UTF-8"),
            ("absent", "cannot be read"),
        ] {
            assert!(read(name).unwrap_err().contains(what), "{name}");
        }
    }
}

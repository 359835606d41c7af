//! Zip archives of code, unpacked in memory under a limit.

use std::collections::HashMap;
use std::io::{Cursor, Read};

/// Unpacked bytes of one archive. Compressed code may have 38 MB (NCP docs: cloudfunctions-spec);
/// this stops a zip bomb.
const MAX_UNPACKED: u64 = 256 << 20;

/// Whether these bytes are a zip archive.
pub(crate) fn is_archive(bytes: &[u8]) -> bool {
    zip::ZipArchive::new(Cursor::new(bytes)).is_ok()
}

/// The text files of an archive by path, without `./` in front.
///
/// # Errors
///
/// One sentence when it is no zip archive or unpacks to too much.
pub(super) fn text_files(bytes: &[u8]) -> Result<HashMap<String, String>, String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| format!("the code is not a zip archive: {error}"))?;
    let mut left = MAX_UNPACKED;
    let mut files = HashMap::new();
    for index in 0..archive.len() {
        let file = archive
            .by_index(index)
            .map_err(|error| format!("the zip archive cannot be read: {error}"))?;
        if !file.is_file() {
            continue;
        }
        let name = file
            .name()
            .map_err(|error| format!("a name in the zip archive cannot be read: {error}"))?;
        let name = name.trim_start_matches("./").to_owned();
        let mut content = Vec::new();
        file.take(left + 1)
            .read_to_end(&mut content)
            .map_err(|error| format!("`{name}` in the zip archive cannot be read: {error}"))?;
        left = left.checked_sub(content.len() as u64).ok_or_else(|| {
            format!(
                "the zip archive unpacks to more than {} MB",
                MAX_UNPACKED >> 20
            )
        })?;
        // Pictures and the like are no modules: they are left out.
        if let Ok(text) = String::from_utf8(content) {
            files.insert(name, text);
        }
    }
    Ok(files)
}

//! The body that `--body` gives: text, or `@` and a file.

/// Its bytes.
///
/// # Errors
/// A sentence, when the file cannot be read.
pub(super) fn read(given: &str) -> Result<Vec<u8>, String> {
    match given.strip_prefix('@') {
        Some(file) => {
            std::fs::read(file).map_err(|error| format!("{file} cannot be read ({error})"))
        }
        None => Ok(given.as_bytes().to_vec()),
    }
}

//! A user's name and password, for clouds that give tokens for them.

use std::fmt;
use std::path::PathBuf;

use super::{Secret, files};

/// Where a login is read from, afresh each time.
#[derive(Clone)]
pub enum LoginSource {
    /// A directory with `username`, `password` and `domain`, and perhaps `agency-name` and
    /// `agency-domain`: a mounted Kubernetes Secret.
    Files {
        /// The directory.
        directory: PathBuf,
    },
    /// A given login, for the embedded emulator and for tests.
    Fixed(Login),
}

/// A user of an account.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// The account (domain) that the user belongs to.
    pub domain: String,
    /// The role to take on after the login, if any.
    pub agency: Option<Agency>,
}

/// A role that another account lets this one take on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// The name of the agency.
    pub name: String,
    /// The account that made it.
    pub domain: String,
}

impl LoginSource {
    /// Reads the login now.
    ///
    /// # Errors
    /// One sentence that says what is missing and where; never a value.
    pub fn read(&self) -> Result<Login, String> {
        match self {
            Self::Fixed(login) => Ok(login.clone()),
            Self::Files { directory } => files::consistent(directory, |files| {
                let agency = match (
                    files.optional("agency-name")?,
                    files.optional("agency-domain")?,
                ) {
                    (None, None) => None,
                    (Some(name), Some(domain)) => Some(Agency {
                        name: name.to_string(),
                        domain: domain.to_string(),
                    }),
                    _ => {
                        return Err(format!(
                            "{} must hold both agency-name and agency-domain, or neither.",
                            directory.display()
                        ));
                    }
                };
                Ok(Login {
                    username: files.required("username")?.to_string(),
                    password: Secret::copied(&files.required("password")?),
                    domain: files.required("domain")?.to_string(),
                    agency,
                })
            }),
        }
    }
}

impl fmt::Debug for LoginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files { directory } => write!(f, "login files in {}", directory.display()),
            Self::Fixed(_) => f.write_str("fixed login"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_holds_a_login_and_perhaps_an_agency() {
        let directory = tempfile::tempdir().unwrap();
        let put =
            |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        let source = LoginSource::Files {
            directory: directory.path().to_owned(),
        };
        put("username", "robot\n");
        put("password", " canary \n");
        assert!(source.read().unwrap_err().contains("domain cannot be read"));
        put("domain", "acme\n");
        let login = source.read().unwrap();
        assert_eq!(
            (
                login.username.as_str(),
                login.password.reveal(),
                login.domain.as_str()
            ),
            ("robot", " canary ", "acme")
        );
        assert!(!format!("{login:?}{source:?}").contains("canary"));
        put("agency-name", "helper\n");
        assert!(source.read().unwrap_err().contains("both"));
        put("agency-domain", "other\n");
        assert_eq!(source.read().unwrap().agency.unwrap().domain, "other");
    }
}

//! The process environment, read in this one place. Tests fill an [`Env`] from a list instead.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A source of environment variables: the process's own, or a fixed list.
#[derive(Clone, Default)]
pub struct Env {
    fixed: Option<BTreeMap<String, String>>,
    /// Names that begin so are asked of the process although the list is fixed.
    prefix: Option<&'static str>,
}

impl Env {
    /// The environment of this process, read afresh at each question.
    #[must_use]
    pub fn process() -> Self {
        Self {
            fixed: None,
            prefix: None,
        }
    }

    /// An environment that holds these variables alone.
    #[must_use]
    pub fn fixed<K: Into<String>, V: Into<String>>(vars: impl IntoIterator<Item = (K, V)>) -> Self {
        let vars = vars
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Self {
            fixed: Some(vars),
            prefix: None,
        }
    }

    /// The same, with this process's own variables of that prefix beside it.
    #[must_use]
    pub fn with_process(mut self, prefix: &'static str) -> Self {
        self.prefix = Some(prefix);
        self
    }

    /// The variable's value. An empty variable counts as absent, since that is how shells and
    /// manifests "unset" one; bytes that are not UTF-8 become U+FFFD, so that a check refuses them
    /// by name later.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match &self.fixed {
            Some(vars) => vars.get(name).cloned().or_else(|| {
                let asked = self.prefix.is_some_and(|prefix| name.starts_with(prefix));
                asked.then(|| read(name)).flatten()
            }),
            None => read(name),
        };
        value.filter(|value| !value.is_empty())
    }

    /// The first of several spellings that is set, with its name.
    #[must_use]
    pub fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, String)> {
        names
            .iter()
            .find_map(|name| self.get(name).map(|value| (*name, value)))
    }

    /// The user's home directory.
    #[must_use]
    pub fn home(&self) -> Option<PathBuf> {
        self.get("HOME").map(PathBuf::from)
    }
}

impl fmt::Debug for Env {
    /// Names only: values may be keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fixed {
            Some(vars) => f.debug_set().entries(vars.keys()).finish(),
            None => f.write_str("Env(process)"),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn read(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::Env;

    #[test]
    fn an_empty_variable_is_absent() {
        let env = Env::fixed([("A", ""), ("B", "x")]);
        assert_eq!(env.get("A"), None);
        assert_eq!(env.first(&["A", "B"]), Some(("B", "x".to_owned())));
    }

    #[test]
    fn only_the_prefix_is_asked_of_the_process() {
        // Every process of a test run has a PATH.
        let env = Env::fixed([("A", "x")]).with_process("PA");
        assert!(env.get("PATH").is_some() && env.get("A").is_some());
        assert_eq!(env.get("HOME"), None);
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", Env::fixed([("KEY", "hunter2")]));
        assert!(shown.contains("KEY") && !shown.contains("hunter2"));
    }
}

//! JSON Patch (RFC 6902), of which injection needs one operation: `add`.

use serde::{Serialize, Serializer};

use super::Node;

/// Puts a value at a place. The place's parent is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename = "add")]
pub struct Operation {
    /// Where.
    pub path: Pointer,
    /// What.
    pub value: Node,
}

/// A JSON Pointer (RFC 6901): the keys and indices on the way, unescaped.
#[derive(Clone, Debug, PartialEq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    pub(super) fn new<const N: usize>(steps: [&str; N]) -> Self {
        Self(steps.map(str::to_owned).into())
    }

    /// The place below this one.
    pub(super) fn below(&self, step: &(impl ToString + ?Sized)) -> Self {
        let mut steps = self.0.clone();
        steps.push(step.to_string());
        Self(steps)
    }
}

impl std::fmt::Display for Pointer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0
            .iter()
            .try_for_each(|step| write!(f, "/{}", step.replace('~', "~0").replace('/', "~1")))
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Operation {
    /// Does it.
    ///
    /// # Errors
    /// When the place has no parent; then nothing is changed.
    pub fn apply(&self, root: &mut Node) -> Result<(), String> {
        let nowhere = || format!("there is no place {}", self.path);
        let (last, parents) = self.path.0.split_last().ok_or_else(nowhere)?;
        let parent = parents
            .iter()
            .try_fold(root, |node, step| match node {
                Node::List(items) => items.get_mut(step.parse::<usize>().ok()?),
                node => node.get_mut(step),
            })
            .ok_or_else(nowhere)?;
        match parent {
            Node::Map(_) => parent.set(last, self.value.clone()),
            Node::List(items) => {
                let index = match last.as_str() {
                    "-" => Some(items.len()),
                    index => index.parse().ok().filter(|index| *index <= items.len()),
                };
                items.insert(index.ok_or_else(nowhere)?, self.value.clone());
            }
            _ => return Err(nowhere()),
        }
        Ok(())
    }
}

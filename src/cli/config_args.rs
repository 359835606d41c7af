//! `--config`, and one flag for each of the sidecar's own settings, made from the table of keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use crate::config::keys::{self, Default, Key, Kind};
use crate::config::{Config, Faults, Sources, load};
use crate::env::Env;

use super::exit::Exit;
use super::io::Io;

/// Flag names live as long as the program: clap keeps no text of its own.
static FLAGS: LazyLock<Vec<(String, &'static Key)>> =
    LazyLock::new(|| keys::scalars().map(|key| (key.flag(), key)).collect());

const FILE: &str = "config";

/// Where the configuration comes from, as far as arguments say.
#[derive(Debug, Clone, PartialEq, Eq, std::default::Default)]
pub struct ConfigArgs {
    /// `--config`
    pub file: Option<PathBuf>,
    /// The other flags: the key's path → the text.
    pub flags: BTreeMap<&'static str, String>,
}

impl ConfigArgs {
    /// Loads the configuration, or tells every mistake in it.
    ///
    /// # Errors
    /// [`Exit::BadConfig`], with the mistakes told already.
    pub fn load(self, env: &Env, io: &mut Io<'_>) -> Result<Config, Exit> {
        read(&self.sources(env), io)
    }

    /// Where the settings come from, so that they can be read again.
    #[must_use]
    pub fn sources(self, env: &Env) -> Sources {
        Sources {
            file: self.file,
            flags: self.flags,
            env: env.clone(),
        }
    }
}

/// Loads a configuration, or tells every mistake in it.
///
/// # Errors
/// [`Exit::BadConfig`], with the mistakes told already.
pub(super) fn read(sources: &Sources, io: &mut Io<'_>) -> Result<Config, Exit> {
    load(sources).map_err(|faults| {
        io.complain(&told(&faults));
        Exit::BadConfig
    })
}

fn told(faults: &Faults) -> String {
    match faults.len() {
        1 => format!("the configuration has one mistake:\n{faults}"),
        count => format!("the configuration has {count} mistakes:\n{faults}"),
    }
}

impl Args for ConfigArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("The YAML file [env: FAAS_SIDECAR_CONFIG]");
        FLAGS
            .iter()
            .fold(command.arg(file), |command, (flag, key)| {
                command.arg(argument(flag, key))
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn argument(flag: &'static str, key: &'static Key) -> Arg {
    let default = match key.default {
        Default::Is(text) | Default::Depends(text) => format!(" [default: {text}]"),
        Default::Nothing | Default::Required => String::new(),
    };
    let words = match key.kind {
        Kind::Word(words) => format!(" One of {}.", words.join(", ")),
        _ => String::new(),
    };
    // Texts, not typed values: the configuration room checks flags as it checks the file, all at
    // once.
    let argument = Arg::new(key.path)
        .long(flag)
        .value_name(value_name(key.kind))
        .help_heading("Settings (they win over the environment, that over the file)")
        .help(format!(
            "{}{words} [env: {}]{default}",
            key.doc,
            key.variable()
        ));
    match key.kind {
        Kind::Bool => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true"),
        Kind::Listen | Kind::Texts(_) => argument.action(ArgAction::Append),
        _ => argument,
    }
}

fn value_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Listen | Kind::Admin | Kind::Address => "ADDRESS",
        Kind::Integer(..) | Kind::Number(..) => "NUMBER",
        Kind::Duration(..) => "DURATION",
        Kind::Size(..) => "SIZE",
        Kind::Bool => "BOOL",
        Kind::Word(_) => "WORD",
        Kind::Path => "PATH",
        Kind::Url => "URL",
        Kind::Text(_)
        | Kind::Section
        | Kind::Targets
        | Kind::Patterns
        | Kind::Texts(_)
        | Kind::Allow => "NAME",
    }
}

impl FromArgMatches for ConfigArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one(FILE).cloned();
        for (_, key) in FLAGS.iter() {
            if let Some(texts) = matches.get_many::<String>(key.path) {
                let texts: Vec<&str> = texts.map(String::as_str).collect();
                self.flags.insert(key.path, texts.join(","));
            }
        }
        Ok(())
    }
}

//! `schema`: what may stand in the configuration, for programs and for people.

use clap::{Args, ValueEnum};

use crate::config::{reference, schema};

use super::exit::Exit;
use super::io::Io;

const HELP: &str = "\
Examples:
  faas-sidecar schema > faas-sidecar.schema.json
  faas-sidecar schema --format markdown

An editor with a YAML language server checks a file that begins with
  # yaml-language-server: $schema=faas-sidecar.schema.json";

/// Arguments of `schema`.
#[derive(Debug, Args)]
#[command(after_long_help = HELP)]
pub struct SchemaArgs {
    /// What is printed
    #[arg(long, value_enum, default_value_t = SchemaFormat::Json)]
    pub format: SchemaFormat,
}

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// JSON Schema, draft 2020-12
    Json,
    /// The table of keys
    Markdown,
}

pub(super) fn run(args: &SchemaArgs, io: &mut Io<'_>) -> Exit {
    io.print(&match args.format {
        SchemaFormat::Json => schema(),
        SchemaFormat::Markdown => reference(),
    })
}

//! How a command ends.

use std::process::ExitCode;

/// How a command ends; each has its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Clean,
    /// Not done: the platform, the network or this program failed.
    Failed,
    /// `invoke` alone: the function ran, and failed.
    FunctionFailed,
    /// `check --diff` alone: something differs.
    Differs,
    /// The arguments make no sense (`EX_USAGE` of sysexits.h).
    Usage,
    /// The configuration is wrong (`EX_CONFIG`).
    BadConfig,
}

impl Exit {
    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Failed => 1,
            Self::FunctionFailed => 2,
            Self::Differs => 3,
            Self::Usage => 64,
            Self::BadConfig => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

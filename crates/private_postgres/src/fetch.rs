//! Fetching (to come).
use crate::{Progress, account::Account, binaries::Binaries};
use std::path::PathBuf;
pub(crate) const MAJORS: [&str; 1] = ["18"];
pub(crate) struct Cache;
impl Cache {
    pub(crate) fn of(_account: &Account) -> Self {
        Self
    }
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        Vec::new()
    }
    pub(crate) fn fetch(
        &self,
        _a: &Account,
        _m: Option<&str>,
        _r: &dyn Fn(Progress),
    ) -> Result<Binaries, Vec<String>> {
        Err(vec![])
    }
}

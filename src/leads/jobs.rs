//! The sweep that makes the search words of all leads again after the rules for words have changed.

use std::{collections::BTreeMap, time::Duration};

use super::{lock_rows, store, words};
use crate::{models::Models, platform::sweep::Sweep};

/// How many leads get their words in one transaction.
const AT_ONCE: i64 = 500;

/// Makes the search words of all leads again, in the order of their ids, if the stored words are of older
/// rules.
#[derive(Debug)]
pub struct MakeWords;

impl Sweep for MakeWords {
    type State = Models;

    const NAME: &'static str = "make_words";
    const PERIOD: Duration = Duration::from_mins(10);

    async fn run_once(models: &Models) -> Result<usize, sqlx::Error> {
        let mut tx = models.db.begin().await?;
        let mut made = store::lock_made(&mut tx).await?;
        if made.version >= words::VERSION {
            return Ok(0);
        }
        let leads = store::after(&mut tx, made.last, AT_ONCE).await?;
        // A writer that changes a lead meanwhile writes the lead's words itself.
        let locked = lock_rows(&mut tx, &leads).await?;
        let present: Vec<_> =
            locked.iter().filter(|lead| lead.merged_into.is_none()).map(|lead| lead.id).collect();
        words::write_words(&mut tx, &present, BTreeMap::new()).await?;
        made.last = leads.last().copied();
        if leads.is_empty() {
            made.version = words::VERSION;
        }
        store::set_made(&mut tx, &made).await?;
        tx.commit().await?;
        Ok(leads.len().max(1))
    }
}

//! One lead in somebody's hands: locked, to be changed on a person's word.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, Transaction};

use super::{Additions, apply};
use crate::{
    app::App,
    ids::LeadId,
    leads::{self, Lead, Resolved, view::LeadRow},
    models::{self, Scored},
    policy::{Label, Policy},
    qualification::{self, Frame},
};

/// A locked lead, and the transaction that holds it.
#[derive(Debug)]
pub struct Held {
    /// The transaction.
    pub tx: Transaction<'static, Postgres>,
    /// The lead; where the one that was asked for had been joined with another, that other.
    pub id: LeadId,
    /// Now.
    pub now: DateTime<Utc>,
    /// The policy in force.
    pub policy: Arc<Policy>,
    scored: Scored,
    leads: Resolved,
}

/// Locks a lead, or the one that it was joined with; none if there is no such lead.
pub async fn hold(app: &App, id: LeadId) -> sqlx::Result<Option<Held>> {
    let mut tx = models::begin(&app.db).await?;
    let Some((id, leads)) = leads::lock_heir(&mut tx, id).await? else { return Ok(None) };
    let scored = app.live.scored(&mut tx).await?;
    let policy = app.policies.current(&mut tx).await?;
    Ok(Some(Held { tx, id, now: app.clock.now(), policy, scored, leads }))
}

impl Held {
    /// The lead's row.
    pub fn lead(&mut self) -> sqlx::Result<&mut Lead> {
        self.leads.leads.get_mut(&self.id).ok_or(sqlx::Error::RowNotFound)
    }

    /// The connection, with the circumstances in which the lead is changed.
    pub fn parts<'a>(&'a mut self, app: &'a App) -> (&'a mut PgConnection, Frame<'a>) {
        let frame = Frame { scored: &self.scored, policy: &self.policy, now: self.now, ids: &app.ids };
        (&mut self.tx, frame)
    }

    /// The lead as it is stored, with its standing under the live model.
    pub(crate) async fn row(&mut self) -> sqlx::Result<LeadRow> {
        let found = leads::view::find(&mut self.tx, self.scored.live.id, self.id).await?;
        found.ok_or(sqlx::Error::RowNotFound)
    }

    /// Why the policy leaves the lead out, if it does.
    pub async fn excluded(&mut self) -> sqlx::Result<Option<Label>> {
        let found = qualification::excluded(&mut self.tx, &self.policy, &[self.id], |_| None).await?;
        Ok(found.get(&self.id).copied())
    }

    /// Keeps what was changed: the moves are recorded with the score of now, and what follows from them is done.
    pub async fn keep(mut self, app: &App) -> sqlx::Result<()> {
        let frame = Frame { scored: &self.scored, policy: &self.policy, now: self.now, ids: &app.ids };
        apply(&mut self.tx, frame, &mut self.leads, &Additions::new()).await?;
        self.tx.commit().await
    }
}

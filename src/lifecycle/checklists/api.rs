//! `/v1/checklists` and `/v1/leads/{id}/qualification`.

use std::collections::BTreeMap;

use axum::{extract::FromRef, extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Answered, Answers, store};
use crate::{
    http::{
        etag::{IfMatch, require_match, tagged},
        extract::{Json, Path},
        problem::Problem,
        said::{LONGEST_TEXT, Mistakes},
    },
    keys::auth::{Editor, Reader, RouterState},
    leads::{self, Stage},
    lifecycle::{
        Lifecycle,
        change::LockedLead,
        policy::{Criterion, Framework},
        stages::{self, Gate},
    },
    platform::{clock::to_instant, ids::LeadId},
};

/// The calls of this room.
pub fn routes<S: RouterState>() -> OpenApiRouter<S>
where
    Lifecycle: FromRef<S>,
{
    OpenApiRouter::new()
        .routes(routes!(list_checklists))
        .routes(routes!(get_qualification, replace_qualification))
}

/// A framework with its criteria and questions.
#[derive(Debug, Serialize, ToSchema)]
struct FrameworkView {
    framework: Framework,
    /// In the order in which they are asked.
    criteria: &'static [Criterion; 4],
}

/// The frameworks there are.
#[derive(Debug, Serialize, ToSchema)]
struct FrameworkList {
    data: Vec<FrameworkView>,
    /// Always false.
    has_more: bool,
    /// Always null.
    next_cursor: Option<String>,
}

/// How a lead stands between marketing and sales.
#[derive(Debug, Serialize, ToSchema)]
struct Qualification {
    lead_id: LeadId,
    stage: Stage,
    /// How many passages into `mql` it has begun.
    cycle: i32,
    /// The first gate that keeps it from being an MQL; null if none does.
    held_by: Option<Gate>,
    /// What sales has found out, by every framework.
    checklists: Vec<Checklist>,
}

/// What sales has found out by one framework.
#[derive(Debug, Serialize, ToSchema)]
struct Checklist {
    framework: Framework,
    /// How many criteria have an answer other than `unknown`.
    answered: usize,
    /// In the order in which they are asked.
    criteria: Vec<CriterionView>,
}

/// What sales has found out about one criterion.
#[derive(Debug, Serialize, ToSchema)]
struct CriterionView {
    #[serde(flatten)]
    criterion: Criterion,
    answer: Answer,
    /// What it rests on.
    evidence: Option<String>,
    /// Who answered.
    answered_by: Option<String>,
    /// When.
    answered_at: Option<DateTime<Utc>>,
}

/// The answers by one framework.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Findings {
    framework: Framework,
    /// By criterion; one that is left out stays as it is.
    #[schema(example = json!({"budget": {"answer": "partial", "evidence": "15 000 are in next year's plan"}}))]
    answers: BTreeMap<String, Finding>,
    /// Who says so; the key's name if absent.
    author: Option<String>,
}

/// The answer to one criterion.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Finding {
    answer: Answer,
    /// What it rests on: what was said, when, by whom.
    evidence: Option<String>,
}

/// BANT, CHAMP and ANUM: their criteria, when each holds, and questions by which to find out.
#[utoipa::path(get, path = "/v1/checklists", tag = "Handoffs", responses((status = 200, body = FrameworkList)))]
async fn list_checklists(_reader: Reader) -> Json<FrameworkList> {
    let view = |framework: Framework| FrameworkView { framework, criteria: framework.criteria() };
    Json(FrameworkList { data: Framework::ALL.map(view).into(), has_more: false, next_cursor: None })
}

/// How a lead stands between marketing and sales: its stage, what keeps it from being an MQL, what sales has found out.
#[utoipa::path(get, path = "/v1/leads/{id}/qualification", tag = "Handoffs", params(("id" = LeadId, Path)),
    responses((status = 200, body = Qualification), (status = 304, description = "Unchanged since the given ETag")))]
async fn get_qualification(
    State(lifecycle): State<Lifecycle>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut conn = lifecycle.db.acquire().await?;
    Ok(tagged(&headers, read(&lifecycle, &mut conn, id).await?))
}

/// Keeps what sales has found out, criterion by criterion.
///
/// Those that are left out stay as they are; `unknown` takes an answer back. Answers that stay the same keep who gave them
/// and when.
#[utoipa::path(put, path = "/v1/leads/{id}/qualification", tag = "Handoffs", request_body = Findings,
    params(("id" = LeadId, Path), IfMatch), security(("key" = ["read_write"])),
    responses((status = 200, body = Qualification)))]
async fn replace_qualification(
    State(lifecycle): State<Lifecycle>,
    Editor(key): Editor,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
    Json(body): Json<Findings>,
) -> Result<Response, Problem> {
    let mut mistakes = Mistakes::default();
    let by = mistakes.name("/author", body.author.as_deref(), &key.name);
    let found = findings(&body, &mut mistakes);
    mistakes.refuse()?;

    let locked = LockedLead::lock(&lifecycle, id).await?;
    let mut locked = locked.ok_or_else(|| Problem::not_found("lead"))?;
    let (lead, now) = (locked.id, locked.now());
    require_match(&headers, read(&lifecycle, locked.conn(), lead).await?)?;
    let before = store::answers_of(locked.conn(), lead).await?;
    let keep = |(criterion, answer, evidence): (&'static str, Answer, Option<String>)| {
        let known = before.get(&(body.framework, criterion.to_owned()));
        let same = known.filter(|known| (known.answer, &known.evidence) == (answer, &evidence)).cloned();
        (criterion, same.unwrap_or(Answered { answer, evidence, by: by.clone(), at: now }))
    };
    let answers: Vec<(&'static str, Answered)> = found.into_iter().map(keep).collect();
    store::replace(locked.conn(), lead, body.framework, &answers).await?;
    let view = read(&lifecycle, locked.conn(), lead).await?;
    locked.commit_unchanged().await.map_err(Problem::from)?;
    Ok(tagged(&HeaderMap::new(), view))
}

/// The answers that are one, by the framework's own names.
fn findings(body: &Findings, mistakes: &mut Mistakes) -> Vec<(&'static str, Answer, Option<String>)> {
    let mut found = Vec::new();
    for (name, finding) in &body.answers {
        let known = body.framework.criteria().iter().find(|criterion| criterion.criterion == name);
        let pointer = format!("/answers/{}", name.replace('~', "~0").replace('/', "~1"));
        let Some(criterion) = known else {
            let names = body.framework.criteria().each_ref().map(|criterion| criterion.criterion).join(", ");
            mistakes.add(&pointer, "unknown_criterion", format!("the criteria are {names}"));
            continue;
        };
        let evidence =
            mistakes.note(&format!("{pointer}/evidence"), finding.evidence.as_deref(), LONGEST_TEXT);
        found.push((criterion.criterion, finding.answer, evidence));
    }
    found
}

/// A lead, or the one that it was joined with, as of now.
async fn read(lifecycle: &Lifecycle, conn: &mut PgConnection, id: LeadId) -> Result<Qualification, Problem> {
    let live = lifecycle.live.current(conn).await?;
    let row = leads::view::find(conn, live.id, id).await?.ok_or_else(|| Problem::not_found("lead"))?;
    let lead = leads::read(conn, row.id).await?.ok_or_else(|| Problem::not_found("lead"))?;
    let policy = lifecycle.policies.current(conn).await?;
    let excluded = stages::excluded(conn, &policy, &[lead.id], |_| None).await?;
    let label = excluded.get(&lead.id).copied();
    let held_by = live.tally(row.id, row.tally()).and_then(|tally| {
        let score = tally.evaluate(&live.model, to_instant(lifecycle.clock.now()));
        stages::gate(&live.model, &lead, &score, &tally, label)
    });
    let answers = store::answers_of(conn, lead.id).await?;
    Ok(Qualification {
        lead_id: lead.id,
        stage: lead.stage(),
        cycle: lead.cycle,
        held_by,
        checklists: Framework::ALL.map(|framework| checklist(framework, &answers)).into(),
    })
}

fn checklist(framework: Framework, answers: &Answers) -> Checklist {
    let view = |criterion: &Criterion| {
        let found = answers.get(&(framework, criterion.criterion.to_owned()));
        CriterionView {
            criterion: *criterion,
            answer: found.map_or(Answer::Unknown, |found| found.answer),
            evidence: found.and_then(|found| found.evidence.clone()),
            answered_by: found.map(|found| found.by.clone()),
            answered_at: found.map(|found| found.at),
        }
    };
    let criteria: Vec<CriterionView> = framework.criteria().iter().map(view).collect();
    let answered = criteria.iter().filter(|one| one.answer != Answer::Unknown).count();
    Checklist { framework, answered, criteria }
}

//! `/v1/checklists` and `/v1/leads/{id}/qualification`.

use std::collections::BTreeMap;

use axum::{extract::FromRef, extract::State, http::HeaderMap, response::Response};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use strum::IntoEnumIterator;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{Answer, Answered, Answers, store};
use crate::{
    http::{
        etag::{IfMatch, require_match, tagged},
        extract::{Json, Path},
        problem::Problem,
        said::{LONGEST_TEXT, Mistakes, Texts},
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

/// A framework with its four criteria and their questions.
#[derive(Debug, Serialize, ToSchema)]
struct FrameworkView {
    framework: Framework,
    /// The criteria, in the order in which to ask about them.
    criteria: &'static [Criterion; 4],
}

/// The frameworks that the service knows.
#[derive(Debug, Serialize, ToSchema)]
struct FrameworkList {
    /// The frameworks.
    data: Vec<FrameworkView>,
    /// Always false: all frameworks are on one page.
    has_more: bool,
    /// Always null.
    next_cursor: Option<String>,
}

/// Where a lead stands between marketing and sales, and what sales has found out.
#[derive(Debug, Serialize, ToSchema)]
struct Qualification {
    /// The lead, or its heir if the lead was merged.
    lead_id: LeadId,
    /// The lead's stage.
    stage: Stage,
    /// How often the lead has become an MQL.
    cycle: i32,
    /// The first gate that keeps the lead from being an MQL. Null if no gate does.
    held_by: Option<Gate>,
    /// The answers, one checklist for each framework.
    checklists: Vec<Checklist>,
}

/// The answers of sales about a lead, by one framework.
#[derive(Debug, Serialize, ToSchema)]
struct Checklist {
    /// The framework whose criteria these are.
    framework: Framework,
    /// How many of the four criteria have an answer other than `unknown`.
    answered: usize,
    /// The criteria, in the order in which to ask about them.
    criteria: Vec<CriterionView>,
}

/// One criterion with its answer.
#[derive(Debug, Serialize, ToSchema)]
struct CriterionView {
    #[serde(flatten)]
    criterion: Criterion,
    /// The answer. `unknown` if nobody has answered.
    answer: Answer,
    /// What the answer rests on.
    evidence: Option<String>,
    /// Who answered. Null if nobody has.
    answered_by: Option<String>,
    /// When the answer was given. Null if nobody has answered.
    answered_at: Option<DateTime<Utc>>,
}

/// New answers about a lead, by one framework.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Findings {
    /// The framework to which the criteria belong.
    framework: Framework,
    /// The answers by criterion. A criterion that is left out keeps its answer.
    #[schema(example = json!({"budget": {"answer": "partial", "evidence": "15 000 are in next year's plan"}}))]
    answers: BTreeMap<String, Finding>,
    /// Who answers. If absent, the key's name.
    author: Option<String>,
}

/// The answer to one criterion.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Finding {
    /// Whether the criterion holds. `unknown` takes an earlier answer back.
    answer: Answer,
    /// What the answer rests on: what was said, when and by whom. 1 to 2000 characters.
    evidence: Option<String>,
}

/// Lists the frameworks BANT, CHAMP and ANUM: their criteria, when a criterion holds, and questions to ask.
#[utoipa::path(get, path = "/v1/checklists", tag = "Handoffs", responses((status = 200, body = FrameworkList)))]
async fn list_checklists(_reader: Reader) -> Json<FrameworkList> {
    let view = |framework: Framework| FrameworkView { framework, criteria: framework.criteria() };
    Json(FrameworkList { data: Framework::iter().map(view).collect(), has_more: false, next_cursor: None })
}

/// Reads where a lead stands between marketing and sales: its stage, the gate that keeps it from being an
/// MQL, and the checklists.
#[utoipa::path(get, path = "/v1/leads/{id}/qualification", tag = "Handoffs", params(("id" = LeadId, Path)),
    responses((status = 200, body = Qualification), (status = 304, description = "`If-None-Match` names the current `ETag`")))]
async fn get_qualification(
    State(lifecycle): State<Lifecycle>,
    _reader: Reader,
    Path(id): Path<LeadId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let mut conn = lifecycle.db.acquire().await?;
    Ok(tagged(&headers, read(&lifecycle, &mut conn, id).await?))
}

/// Stores what sales has found out about a lead, by criterion.
///
/// Criteria that are left out keep their answers. `unknown` takes an answer back. If an answer stays the
/// same, its author and date stay too.
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

/// Returns the answers whose criterion belongs to the framework. Notes a mistake for each other criterion and
/// for evidence that is too long.
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

/// Reads the qualification of a lead, or of its heir if the lead was merged, as of now.
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
        checklists: Framework::iter().map(|framework| checklist(framework, &answers)).collect(),
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

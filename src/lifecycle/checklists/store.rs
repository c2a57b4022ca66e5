//! SQL of checklists.

use sqlx::PgConnection;

use super::{Answer, Answered, Answers};
use crate::{lifecycle::policy::Framework, platform::ids::LeadId};

/// Reads all answers of a lead.
pub(super) async fn answers_of(conn: &mut PgConnection, lead: LeadId) -> sqlx::Result<Answers> {
    let rows = sqlx::query!(
        r#"-- checklists::answers_of
        select framework as "framework: Framework", criterion, answer as "answer: Answer", evidence, answered_by,
            answered_at
        from checklist_answer where lead_id = $1"#,
        lead as LeadId
    )
    .fetch_all(conn)
    .await?;
    let answers = rows.into_iter().map(|row| {
        let (answer, evidence) = (row.answer, row.evidence);
        let answered = Answered { answer, evidence, by: row.answered_by, at: row.answered_at };
        ((row.framework, row.criterion), answered)
    });
    Ok(answers.collect())
}

/// Replaces a lead's answers to the given criteria of a framework. An `unknown` without evidence only deletes
/// the old answer.
pub(super) async fn replace(
    conn: &mut PgConnection,
    lead: LeadId,
    framework: Framework,
    answers: &[(&'static str, Answered)],
) -> sqlx::Result<()> {
    let criteria: Vec<String> = answers.iter().map(|(criterion, _)| (*criterion).to_owned()).collect();
    sqlx::query!(
        "-- checklists::replace (delete)
        delete from checklist_answer where lead_id = $1 and framework = $2 and criterion = any($3)",
        lead as LeadId,
        framework.as_str(),
        &criteria
    )
    .execute(&mut *conn)
    .await?;
    for (criterion, answered) in answers.iter().filter(|(_, answered)| answered.says_something()) {
        sqlx::query!(
            "-- checklists::replace (insert)
            insert into checklist_answer (lead_id, framework, criterion, answer, evidence, answered_by, answered_at)
            values ($1, $2, $3, $4, $5, $6, $7)",
            lead as LeadId,
            framework.as_str(),
            criterion,
            answered.answer.as_str(),
            answered.evidence,
            answered.by,
            answered.at
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

//! SQL of the words by which leads are found.

use sqlx::PgConnection;

use crate::platform::ids::LeadId;

/// An e-mail address or a user id of a lead.
pub(crate) struct NameRow {
    pub(crate) lead_id: LeadId,
    pub(crate) value: String,
}

/// The e-mail addresses and user ids of leads.
pub(crate) async fn names_of(conn: &mut PgConnection, leads: &[LeadId]) -> sqlx::Result<Vec<NameRow>> {
    sqlx::query_as!(
        NameRow,
        "-- leads::names_of
        select s.lead_id, i.value from identity_span s join identity i on i.id = s.identity_id
        where s.lead_id = any($1) and i.kind <> 'anonymous_id'",
        leads as &[LeadId]
    )
    .fetch_all(conn)
    .await
}

/// Writes the words of leads that differ from the stored ones. Each lead's words are separated by spaces. A
/// lead that never had a word has no row.
pub(crate) async fn write_words(
    conn: &mut PgConnection,
    leads: &[LeadId],
    words: &[String],
) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::write_words
        insert into lead_words (lead_id, words)
        select lead_id, array_to_tsvector(string_to_array(words, ' '))
        from unnest($1::uuid[], $2::text[]) as new (lead_id, words)
        where words <> '' or exists (select from lead_words known where known.lead_id = new.lead_id)
        on conflict (lead_id) do update set words = excluded.words
        where lead_words.words is distinct from excluded.words",
        leads as &[LeadId],
        words
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// At most `limit` leads whose words match a question, in no particular order.
pub(crate) async fn answering(
    conn: &mut PgConnection,
    question: &str,
    limit: i64,
) -> sqlx::Result<Vec<LeadId>> {
    sqlx::query_scalar!(
        r#"-- leads::answering
        select lead_id as "lead_id: LeadId" from lead_words where words @@ $1::text::tsquery limit $2"#,
        question,
        limit
    )
    .fetch_all(conn)
    .await
}

/// The progress of making words. All words are of at least this version of the rules; words up to the lead
/// `last` are of a newer version.
pub(crate) struct MadeRow {
    pub(crate) version: i32,
    pub(crate) last: Option<LeadId>,
}

/// Locks and reads the progress. Waits while another instance makes words.
pub(crate) async fn lock_made(conn: &mut PgConnection) -> sqlx::Result<MadeRow> {
    sqlx::query_as!(
        MadeRow,
        r#"-- leads::lock_made
        select version, last as "last: LeadId" from lead_words_made for update"#
    )
    .fetch_one(conn)
    .await
}

pub(crate) async fn set_made(conn: &mut PgConnection, made: &MadeRow) -> sqlx::Result<()> {
    sqlx::query!(
        "-- leads::set_made
        update lead_words_made set version = $1, last = $2",
        made.version,
        made.last as Option<LeadId>
    )
    .execute(conn)
    .await?;
    Ok(())
}

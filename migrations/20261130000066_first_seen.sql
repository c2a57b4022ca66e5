-- When a lead first did something: the earliest of its events that count, whenever they came. Null: there is none.
alter table score add column first_seen_at timestamptz;
-- Whether the lead is an MQL for having asked for sales, and when the person last asked, by this version: repeated here so
-- that whoever asked is one index scan.
alter table score add column hand_raised boolean not null default false;
alter table score add column hand_raised_at timestamptz;

with counted as (
    select s.lead_id, e.occurred_at, e.type
    from identity_span s
    join event e on e.identity_id = s.identity_id
        and e.occurred_at >= s.since and (s.until is null or e.occurred_at < s.until)
    where e.verdict <> 'machine' and e.held_until is null
),
seen as (select lead_id, min(occurred_at) as at from counted group by lead_id),
asked as (
    select c.lead_id, m.id as model_id, max(c.occurred_at) as at
    from counted c join scoring_model m on m.document -> 'hand_raise' ? c.type
        and exists (select from scored_model where model_id = m.id)
    group by c.lead_id, m.id
)
update score set first_seen_at = seen.at, hand_raised = l.mql_by is not distinct from 'hand_raise', hand_raised_at = asked.at
from lead l
left join seen on seen.lead_id = l.id
cross join scored_model scored
left join asked on asked.lead_id = l.id and asked.model_id = scored.model_id
where score.lead_id = l.id and score.model_id = scored.model_id;

drop index score_ranking;
create index score_ranking
    on score (model_id, score, raw, (coalesce(first_seen_at, '-infinity'::timestamptz)), lead_id)
    where stage = 'mql' and not do_not_contact;
create index score_hand_raised
    on score (model_id, (coalesce(hand_raised_at, '-infinity'::timestamptz)), score, raw,
        (coalesce(first_seen_at, '-infinity'::timestamptz)), lead_id)
    where stage = 'mql' and not do_not_contact and hand_raised;
drop index lead_hand_raised;

-- The queue that every installation begins with, where nobody has changed it.
update queue set updated_at = now(), document =
    '{"description": "Whoever asked for sales first, the newest first; then the best score",
      "filter": {"stage": ["mql"]},
      "tiers": [
        {"name": "asked for sales", "when": {"is": ["hand_raised"]}, "order": ["-hand_raised_at"]},
        {"name": "by score", "order": ["-score", "-raw", "-first_seen_at"]}]}'
where name = 'sales' and document =
    '{"description": "MQLs, best score first",
      "filter": {"stage": ["mql"]},
      "tiers": [{"name": "score", "order": ["-score", "-raw", "-created_at"]}]}';

-- The order that a document has written down where it left it out.
update queue set updated_at = now(), document = jsonb_set(document, '{tiers}', (
    select jsonb_agg(case when tier -> 'order' = '["-score", "-raw", "-created_at"]'
        then jsonb_set(tier, '{order}', '["-score", "-raw", "-first_seen_at"]') else tier end order by place)
    from jsonb_array_elements(document -> 'tiers') with ordinality as tiers (tier, place)
))
where document @> '{"tiers": [{"order": ["-score", "-raw", "-created_at"]}]}';

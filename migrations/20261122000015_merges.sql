-- Merges that people decide, and can take back. What hangs on a lead keeps its *home*: the lead that it would belong to had
-- nobody merged anything; null where that is the lead itself.
alter table identity_span add column home_lead_id uuid;
alter table identity_span add constraint identity_span_home_fkey foreign key (home_lead_id) references lead (id);
alter table identity_span add constraint identity_span_home_is_elsewhere check (home_lead_id <> lead_id);
alter table handoff add column home_lead_id uuid;
alter table handoff add constraint handoff_home_fkey foreign key (home_lead_id) references lead (id);
alter table outcome add column home_lead_id uuid;
alter table outcome add constraint outcome_home_fkey foreign key (home_lead_id) references lead (id);
alter table claim add column home_lead_id uuid;

-- Two leads that are one may have used the same key, and keep it.
drop index handoff_request_key;
create unique index handoff_request_key on handoff (coalesce(home_lead_id, lead_id), request_key)
    where request_key is not null;
drop index outcome_request_key;
create unique index outcome_request_key on outcome (coalesce(home_lead_id, lead_id), request_key)
    where request_key is not null;

-- When a lead became a signpost.
alter table lead add column merged_at timestamptz;

create table lead_merge (
    id uuid not null,
    seq bigint not null generated always as identity, -- the order in which they were decided
    lead_id uuid not null, -- who was merged
    into_lead_id uuid not null,
    merged_at timestamptz not null,
    merged_by text not null,
    reason text not null,
    request_key text, -- the caller's Idempotency-Key
    heir jsonb not null, -- the row and the answers of the lead that went on, as they would be without this merge
    undone_at timestamptz, -- null: in force
    undone_by text,
    undone_reason text,
    undo_request_key text,
    constraint lead_merge_pkey primary key (id),
    constraint lead_merge_lead_fkey foreign key (lead_id) references lead (id),
    constraint lead_merge_into_fkey foreign key (into_lead_id) references lead (id),
    constraint lead_merge_not_with_itself check (lead_id <> into_lead_id),
    constraint lead_merge_undone_by_somebody check (
        (undone_at is null) = (undone_by is null) and (undone_at is null) = (undone_reason is null)
    )
);

create unique index lead_merge_in_force on lead_merge (lead_id) where undone_at is null;
create index lead_merge_into on lead_merge (into_lead_id, seq) where undone_at is null;
create unique index lead_merge_request_key on lead_merge (lead_id, request_key) where request_key is not null;
create unique index lead_merge_undo_request_key on lead_merge (lead_id, undo_request_key)
    where undo_request_key is not null;

alter table transition drop constraint transition_cause_known;
alter table transition add constraint transition_cause_known check (cause in (
    'identified', 'merge', 'unmerge', 'threshold', 'hand_raise', 'score_fell', 'model_change', 'excluded', 'policy',
    'expired', 'accepted', 'rejected', 'recycled', 'outcome', 'correction', 'person'
));

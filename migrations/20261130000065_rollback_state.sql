-- How many versions had been published when this one was: it tells what was noted for this rollback from what was noted
-- for an earlier one. A rollback is no publishing.
alter table scored_model add column era integer not null default 0;

-- How a lead stood under the version that was live before, where the live one has moved it by itself: what a rollback goes
-- back to. No foreign key to the version: its rows go when the version's states go.
create table rollback_state (
    model_id uuid not null, -- the version under which the lead stood so
    lead_id uuid not null,
    era integer not null, -- of the version that moved it
    stood jsonb not null, -- the lead's row before that
    left_as jsonb not null, -- the lead's row after that: if it differs now, something has happened to the lead since
    offers jsonb not null, -- the offers that this made, ended or opened, each with the state before and after
    constraint rollback_state_pkey primary key (model_id, lead_id),
    constraint rollback_state_lead_fkey foreign key (lead_id) references lead (id)
);

create index rollback_state_lead on rollback_state (lead_id);

alter table transition drop constraint transition_cause_known;
alter table transition add constraint transition_cause_known check (cause in (
    'identified', 'merge', 'unmerge', 'threshold', 'hand_raise', 'score_fell', 'model_change', 'rollback', 'excluded',
    'policy', 'expired', 'accepted', 'rejected', 'recycled', 'outcome', 'correction', 'person'
));

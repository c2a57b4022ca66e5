-- The whole lifecycle. A recycled lead is to ripen again, and not before an instant that sales may give.
alter table lead add column recycled_at timestamptz;
alter table lead add column recycled_until timestamptz;
alter table lead add constraint lead_recycled_is_dated check ((stage = 'recycled') = (recycled_at is not null));
alter table lead add constraint lead_recycled_until_only_while_recycled
    check (recycled_until is null or stage = 'recycled');
alter table lead drop constraint lead_mql_by_known;
alter table lead add constraint lead_mql_by_known
    check (mql_by in ('threshold', 'hand_raise', 'model_change', 'person'));

-- Who said so, where a person did, and for what reason.
alter table transition add column actor text;
alter table transition add column reason text;
-- The order in which a lead's passages were made, also within one instant.
alter table transition add column seq bigint not null generated always as identity;
alter table transition drop constraint transition_cause_known;
alter table transition add constraint transition_cause_known check (cause in (
    'identified', 'merge', 'threshold', 'hand_raise', 'score_fell', 'model_change', 'excluded', 'policy', 'expired',
    'accepted', 'rejected', 'recycled', 'outcome', 'correction', 'person'
));
alter table transition add constraint transition_people_are_named check (
    actor is not null or cause not in ('accepted', 'rejected', 'recycled', 'outcome', 'correction', 'person')
);

-- What the organisation has decided besides the model, in versions: the last one holds; none yet: the built-in one.
create table policy (
    version integer not null,
    document jsonb not null,
    created_at timestamptz not null,
    created_by text not null,
    reconsidered_to uuid, -- the last lead whose stage was looked at again by this version's exclusions
    reconsidered_at timestamptz, -- when all had been
    constraint policy_pkey primary key (version),
    constraint policy_version_positive check (version > 0)
);

-- Offers of leads to sales, with the evidence of their moment.
create table handoff (
    id uuid not null,
    lead_id uuid not null, -- the heir's, once the lead was joined with another
    state text not null,
    cycle integer not null, -- the lead's passage into mql that it belongs to
    offered_at timestamptz not null,
    offered_by text, -- null: the rules
    rep text, -- who is to answer; once accepted, who has it
    due_at timestamptz, -- by when sales is to answer
    breached_at timestamptz, -- when it was noticed that it had not
    expires_at timestamptz, -- when the offer ends by itself
    score integer not null,
    model_id uuid not null,
    evidence jsonb not null,
    accepted_at timestamptz,
    accepted_by text, -- null: the policy
    answered_at timestamptz, -- when it last changed its state
    answered_by text, -- null: the rules
    reason text, -- a code, or what took it back
    note text,
    recycle_until timestamptz,
    merged_into uuid, -- the offer that goes on, of the lead that it was joined with
    request_key text, -- the Idempotency-Key under which it was made by hand
    constraint handoff_pkey primary key (id),
    constraint handoff_lead_fkey foreign key (lead_id) references lead (id),
    constraint handoff_model_fkey foreign key (model_id) references scoring_model (id),
    constraint handoff_merged_into_fkey foreign key (merged_into) references handoff (id),
    constraint handoff_state_known check (state in (
        'open', 'accepted', 'rejected', 'recycled', 'expired', 'withdrawn', 'merged'
    )),
    constraint handoff_open_is_unanswered check ((state = 'open') = (answered_at is null)),
    constraint handoff_accepted_is_dated check (state <> 'accepted' or accepted_at is not null),
    constraint handoff_rejected_for_a_reason check (state <> 'rejected' or reason is not null),
    constraint handoff_merged_goes_on check ((state = 'merged') = (merged_into is not null))
);

create unique index handoff_one_open on handoff (lead_id) where state = 'open';
create unique index handoff_request_key on handoff (lead_id, request_key) where request_key is not null;
create index handoff_lead on handoff (lead_id, id);
create index handoff_state on handoff (state, id);
create index handoff_rep on handoff (rep, id) where rep is not null;
create index handoff_due on handoff (due_at) where state = 'open' and breached_at is null;
create index handoff_expiring on handoff (expires_at) where state = 'open';

-- What sales has found out, criterion by criterion.
create table checklist_answer (
    lead_id uuid not null,
    framework text not null,
    criterion text not null,
    answer text not null,
    evidence text,
    answered_by text not null,
    answered_at timestamptz not null,
    constraint checklist_answer_pkey primary key (lead_id, framework, criterion),
    constraint checklist_answer_lead_fkey foreign key (lead_id) references lead (id),
    constraint checklist_answer_known check (answer in ('unknown', 'no', 'partial', 'yes'))
);

-- What became of leads. Nothing is overwritten: what was recorded wrongly is replaced by another row.
create table outcome (
    id uuid not null,
    seq bigint not null generated always as identity, -- the order in which a lead's outcomes were recorded
    lead_id uuid not null, -- the heir's, once the lead was joined with another
    outcome text not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null,
    recorded_by text not null,
    amount bigint, -- in the currency's smallest unit
    currency text,
    reason text,
    note text,
    handoff_id uuid, -- the offer that sales had accepted
    replaced_by uuid,
    request_key text, -- the caller's Idempotency-Key
    constraint outcome_pkey primary key (id),
    constraint outcome_lead_fkey foreign key (lead_id) references lead (id),
    constraint outcome_handoff_fkey foreign key (handoff_id) references handoff (id),
    constraint outcome_replaced_by_fkey foreign key (replaced_by) references outcome (id) deferrable initially deferred,
    constraint outcome_known check (outcome in ('opportunity', 'won', 'lost')),
    constraint outcome_amount_has_a_currency check ((amount is null) = (currency is null)),
    constraint outcome_amount_not_negative check (amount >= 0),
    constraint outcome_won_has_an_amount check (outcome <> 'won' or amount is not null),
    constraint outcome_lost_for_a_reason check ((outcome = 'lost') = (reason is not null))
);

create index outcome_lead on outcome (lead_id, seq);
create unique index outcome_request_key on outcome (lead_id, request_key) where request_key is not null;

-- Whose passages a lead has taken over, for its timeline.
create index lead_merged_into on lead (merged_into) where merged_into is not null;

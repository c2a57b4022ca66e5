-- A lead's standing under a model: every number here is a cache of the pure function on the lead's log.
create table score (
    lead_id uuid not null,
    model_id uuid not null,
    stage text not null, -- the lead's, repeated so that a ranking is one index scan
    do_not_contact boolean not null,
    score integer not null,
    raw bigint not null, -- milli-points, as are fit and engagement
    fit bigint not null,
    engagement bigint not null,
    grade text not null,
    band text not null,
    as_of timestamptz not null,
    next_change_at timestamptz, -- when the score changes if nothing happens
    due_at timestamptz, -- when to look again: next_change_at or the end of a dwell
    last_activity_at timestamptz,
    tally bytea not null, -- the bounded state to which events are added
    updated_at timestamptz not null, -- of anything a reader sees of the lead
    constraint score_pkey primary key (lead_id, model_id),
    constraint score_lead_fkey foreign key (lead_id) references lead (id),
    constraint score_model_fkey foreign key (model_id) references scoring_model (id)
) with (fillfactor = 80);

create index score_ranking on score (model_id, score, raw, lead_id) where stage = 'mql' and not do_not_contact;
create index score_by_score on score (model_id, score, lead_id);
create index score_by_update on score (model_id, updated_at, lead_id);
create index score_due on score (due_at) where due_at is not null;

-- Every passage from one stage to another, with the standing of that moment.
create table transition (
    lead_id uuid not null,
    id uuid not null,
    at timestamptz not null,
    from_stage text not null,
    to_stage text not null,
    cause text not null,
    cycle integer not null,
    score integer not null,
    raw bigint not null,
    fit bigint not null,
    engagement bigint not null,
    grade text not null,
    band text not null,
    model_id uuid not null,
    constraint transition_pkey primary key (lead_id, id),
    constraint transition_lead_fkey foreign key (lead_id) references lead (id),
    constraint transition_model_fkey foreign key (model_id) references scoring_model (id),
    constraint transition_cause_known check (cause in (
        'identified', 'threshold', 'hand_raise', 'score_fell', 'merge'
    )),
    constraint transition_moves check (from_stage <> to_stage)
);

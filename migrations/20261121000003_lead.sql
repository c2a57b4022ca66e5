-- A lead is a set of identities. Its row is the lock under which everything about it changes: writers take
-- `for no key update` in id order.
create table lead (
    id uuid not null,
    stage text not null,
    cycle integer not null default 0, -- passages into mql so far
    mql_by text, -- what opened the passage that is under way
    below_since timestamptz, -- since when the score is below the model's `leave`, while mql
    last_exit_at timestamptz, -- when the last passage ended
    epoch integer not null default 0, -- counts changes to the set of identities; a plan made before one is made again
    merged_into uuid, -- where its identities went, once it has none
    created_at timestamptz not null,
    constraint lead_pkey primary key (id),
    constraint lead_merged_into_fkey foreign key (merged_into) references lead (id),
    constraint lead_stage_known check (stage in (
        'anonymous', 'lead', 'mql', 'sql', 'opportunity', 'customer', 'recycled', 'disqualified', 'lost'
    )),
    constraint lead_mql_has_a_cause check ((stage = 'mql') = (mql_by is not null)),
    constraint lead_mql_by_known check (mql_by in ('threshold', 'hand_raise')),
    constraint lead_below_only_while_mql check (below_since is null or stage = 'mql'),
    constraint lead_mql_has_a_cycle check (stage <> 'mql' or cycle > 0)
);

-- One user id, anonymous id or e-mail. The id is a hash of kind and value, so a request resolves to the same
-- identity for ever, whatever was merged since.
create table identity (
    id uuid not null,
    kind text not null,
    value text not null,
    created_at timestamptz not null,
    constraint identity_pkey primary key (id),
    constraint identity_kind_known check (kind in ('user_id', 'email', 'anonymous_id'))
);

-- For reading leads by the start of an e-mail address or user id.
create index identity_value on identity (value text_pattern_ops) where kind <> 'anonymous_id';

-- The dated facts by which identities belong together: at that instant, an event said so.
create table identity_link (
    identity_id uuid not null, -- the weaker of the two: anonymous id < e-mail < user id
    at timestamptz not null,
    parent_id uuid not null,
    constraint identity_link_pkey primary key (identity_id, at, parent_id),
    constraint identity_link_identity_fkey foreign key (identity_id) references identity (id),
    constraint identity_link_parent_fkey foreign key (parent_id) references identity (id),
    constraint identity_link_not_to_itself check (identity_id <> parent_id)
);

-- Whose events an identity's are, from `since` until `until`: a fold of identity_link. More than one row only
-- for a device that several people identified on.
create table identity_span (
    identity_id uuid not null,
    since timestamptz not null, -- 1970-01-01: from the start
    until timestamptz, -- null: open
    lead_id uuid not null,
    parent_id uuid, -- the identity that this one follows; null: it stands for itself
    constraint identity_span_pkey primary key (identity_id, since),
    constraint identity_span_identity_fkey foreign key (identity_id) references identity (id),
    constraint identity_span_lead_fkey foreign key (lead_id) references lead (id),
    constraint identity_span_parent_fkey foreign key (parent_id) references identity (id),
    constraint identity_span_not_empty check (until is null or since < until)
);

create index identity_span_lead on identity_span (lead_id);
create index identity_span_parent on identity_span (parent_id) where parent_id is not null;

-- Attributes with their provenance, {"title": {"value": …, "at": …, "event_id": …}}: wide and seldom changed.
create table lead_profile (
    lead_id uuid not null,
    attributes jsonb not null,
    constraint lead_profile_pkey primary key (lead_id),
    constraint lead_profile_lead_fkey foreign key (lead_id) references lead (id)
);

-- Queues as documents: who is to be called, in what order, and how leads are handed out. Whoever hands one out holds
-- the queue's row.
create table queue (
    name text not null,
    document jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint queue_pkey primary key (name),
    constraint queue_name_plain check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$')
);

insert into queue (name, document, created_at, updated_at) values (
    'sales',
    '{"description": "MQLs, best score first",
      "filter": {"stage": ["mql"]},
      "tiers": [{"name": "score", "order": ["-score", "-raw", "-created_at"]}]}',
    now(), now()
);

-- Every claim that a rep ever had on a lead. Open is the one that has not ended; a lead has at most one, in whatever
-- queue. No foreign keys: what sales did outlives queue and lead.
create table claim (
    lead_id uuid not null, -- follows the lead when it is merged
    token bigint not null generated always as identity, -- counts up: of two claims on a lead the later has the greater
    id uuid not null,
    queue text not null,
    rep text not null,
    request text, -- the caller's idempotency key
    why text[] not null, -- the reasons for the lead's place when it was handed out
    claimed_at timestamptz not null,
    expires_at timestamptz not null,
    ended_at timestamptz,
    outcome text, -- how it ended
    reason text, -- in the rep's words
    rests_until timestamptz, -- until when the lead is not handed out: skipped, in this queue; completed, in any
    callback_at timestamptz, -- when the rep promised to call again
    called_back_at timestamptz, -- when that was done
    constraint claim_pkey primary key (lead_id, token),
    constraint claim_id_key unique (id),
    constraint claim_takes_time check (expires_at > claimed_at),
    constraint claim_ended_has_an_outcome check ((ended_at is null) = (outcome is null)),
    constraint claim_outcome_known check (outcome in (
        'released', 'skipped', 'completed', 'expired', 'do_not_contact', 'merged', 'erased'
    )),
    constraint claim_rests_when_worked check (rests_until is null or outcome in ('skipped', 'completed')),
    constraint claim_callback_when_completed check (callback_at is null or outcome = 'completed'),
    constraint claim_called_back_as_promised check (called_back_at is null or callback_at is not null)
);

create unique index claim_one_open_per_lead on claim (lead_id) where ended_at is null;
create unique index claim_one_per_request on claim (queue, rep, request) where request is not null;
create index claim_open on claim (expires_at) where ended_at is null;
create index claim_resting on claim (rests_until) where rests_until is not null;
create index claim_callback on claim (callback_at) where callback_at is not null and called_back_at is null;
create index claim_by_time on claim (claimed_at, token);
create index claim_of_rep on claim (rep, claimed_at, token);

-- From a lead to those that were merged into it, and to the leads that ask for sales.
create index lead_merged on lead (merged_into) where merged_into is not null;
create index lead_hand_raised on lead (id) where mql_by = 'hand_raise';

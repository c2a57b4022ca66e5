-- The log: the truth of which every score is a function. Append-only. The key is the idempotency, for ever:
-- the same id from the same identity is the same event. No foreign keys, so that the log can be spread over
-- machines by identity; the writer creates the identity in the same transaction.
create table event (
    identity_id uuid not null,
    event_key uuid not null, -- hash of the id
    id text not null,
    type text not null,
    name text, -- as the sender called it, where that differs
    occurred_at timestamptz not null, -- corrected for the sender's clock, never after received_at
    received_at timestamptz not null,
    original_at timestamptz, -- what the sender's clock said
    sent_at timestamptz,
    verdict text not null,
    digest bigint not null, -- of what the sender said: tells a repetition from another event under the same id
    properties jsonb not null,
    traits jsonb,
    context jsonb,
    api_key_id uuid,
    constraint event_pkey primary key (identity_id, event_key),
    constraint event_verdict_known check (verdict in ('human', 'suspect', 'machine')),
    constraint event_not_before_it_happened check (occurred_at <= received_at)
);

-- What could not be taken, and why.
create table rejected_events (
    id uuid not null,
    received_at timestamptz not null,
    api_key_id uuid,
    position integer not null, -- in its request, from 0
    code text not null,
    detail text not null,
    body bytea not null, -- the first 64 KiB; a byte that is no UTF-8 as U+10FFFF
    constraint rejected_events_pkey primary key (id),
    constraint rejected_events_api_key_fkey foreign key (api_key_id) references api_key (id)
);

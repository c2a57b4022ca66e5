-- What happened and is committed, but has no place in the feed yet. Writers only insert; rows leave within a second,
-- so the table stays small and its dead rows never lie between those of the feed.
create table outbox (
    seq bigint not null generated always as identity, -- the order of one lead's changes, which are made under its lock
    id uuid not null,
    lead_id uuid not null,
    type text not null, -- the kinds are the code's: a new one needs no migration
    at timestamptz not null,
    data jsonb not null,
    constraint outbox_pkey primary key (seq)
);

-- The feed: what happened, in the order in which it became visible. Only appended to, and cut off at the old end. No
-- foreign key to the lead: what says that a lead was erased outlives it.
create table change (
    position bigint not null, -- counts up without a gap
    id uuid not null,
    lead_id uuid not null,
    type text not null,
    at timestamptz not null,
    recorded_at timestamptz not null, -- when it got its place
    data jsonb not null,
    constraint change_pkey primary key (position)
);

-- Where the feed begins and ends: one row. Whoever gives out positions holds it until the commit.
create table change_feed (
    only_one boolean not null default true,
    last bigint not null default 0, -- the last position given out
    forgotten bigint not null default 0, -- everything up to here is gone
    held bigint, -- nothing after this may be forgotten: the service itself has yet to read it
    constraint change_feed_pkey primary key (only_one),
    constraint change_feed_one_row check (only_one),
    constraint change_feed_forgets_what_was check (forgotten between 0 and last),
    constraint change_feed_holds_what_was check (held between 0 and last)
);

insert into change_feed default values;

-- Receivers of webhooks. Each reads the feed of changes up to its own position.
create table webhook_endpoint (
    id uuid not null,
    url text not null,
    description text not null,
    events text[] not null, -- the kinds of changes that it gets; none named: all
    position bigint not null, -- every change up to here is delivered, given up, in line or not wanted
    failing_since timestamptz, -- the first failure since the last success
    disabled_at timestamptz,
    disabled_because text,
    created_at timestamptz not null,
    deleted_at timestamptz, -- its rows are cleared away bit by bit
    constraint webhook_endpoint_pkey primary key (id),
    constraint webhook_endpoint_disabled_has_a_cause check ((disabled_at is null) = (disabled_because is null)),
    constraint webhook_endpoint_cause_known check (disabled_because in ('operator', 'gone', 'failing'))
);

-- What an endpoint's deliveries are signed with. Signing needs the secret itself, so it is kept as it is.
create table webhook_secret (
    endpoint_id uuid not null,
    secret bytea not null,
    created_at timestamptz not null,
    expires_at timestamptz, -- null: the current one
    constraint webhook_secret_pkey primary key (endpoint_id, secret),
    constraint webhook_secret_endpoint_fkey foreign key (endpoint_id) references webhook_endpoint (id) on delete cascade,
    constraint webhook_secret_length check (length(secret) between 24 and 64)
);

create unique index webhook_secret_one_current on webhook_secret (endpoint_id) where expires_at is null;

-- One change for one endpoint; or a ping, which is about no lead and of which the feed knows nothing.
create table webhook_delivery (
    endpoint_id uuid not null,
    id uuid not null,
    message_id uuid not null, -- sent as `webhook-id`: the change's own id, the same at every attempt and endpoint
    lead_id uuid,
    position bigint, -- the change's: a lead's deliveries to an endpoint go out in this order
    type text not null,
    body text not null, -- what is sent and signed, the same bytes at every attempt
    state text not null,
    tries integer not null default 0, -- since it was put in line: says how long to wait for the next
    attempts integer not null default 0, -- ever
    created_at timestamptz not null,
    constraint webhook_delivery_pkey primary key (endpoint_id, id),
    constraint webhook_delivery_endpoint_fkey foreign key (endpoint_id) references webhook_endpoint (id),
    constraint webhook_delivery_state_known check (state in ('pending', 'delivered', 'failed')),
    constraint webhook_delivery_of_a_lead_has_a_place check ((lead_id is null) = (position is null)),
    constraint webhook_delivery_ping_is_not_in_line check (lead_id is not null or state <> 'pending')
);

create index webhook_delivery_in_line on webhook_delivery (endpoint_id, lead_id, position) where state = 'pending';
create index webhook_delivery_oldest on webhook_delivery (endpoint_id, id) where state = 'pending';

-- The line of one lead's deliveries to one endpoint; there is one as long as something is in it. It is what couriers
-- take: the first of the line is sent, the others wait.
create table webhook_lane (
    endpoint_id uuid not null,
    lead_id uuid not null,
    due_at timestamptz not null, -- when the first is to be sent; while a courier has it, when it is taken to be lost
    lease_token uuid, -- of the courier that has it
    constraint webhook_lane_pkey primary key (endpoint_id, lead_id),
    constraint webhook_lane_endpoint_fkey foreign key (endpoint_id) references webhook_endpoint (id) on delete cascade
);

create index webhook_lane_due on webhook_lane (endpoint_id, due_at);

create table webhook_attempt (
    endpoint_id uuid not null,
    delivery_id uuid not null,
    number integer not null, -- from 1
    at timestamptz not null,
    duration_ms integer not null,
    status integer, -- null: there was no answer
    error text, -- why not
    response text not null, -- how the answer's body begins
    constraint webhook_attempt_pkey primary key (endpoint_id, delivery_id, number),
    constraint webhook_attempt_delivery_fkey foreign key (endpoint_id, delivery_id)
        references webhook_delivery (endpoint_id, id) on delete cascade,
    constraint webhook_attempt_answered_or_not check ((status is null) = (error is not null))
);

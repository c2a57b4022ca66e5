-- What somebody agrees to, by channel: of each identity the newest word. It belongs to the identity, so it survives merges, and
-- stands for addresses that are nobody's lead. A cache of the log, apart from every score.
create table consent (
    identity_id uuid not null,
    channel text not null,
    state text not null,
    since timestamptz not null, -- of the event that said so
    event_key uuid not null, -- which event that was
    constraint consent_pkey primary key (identity_id, channel),
    constraint consent_channel_known check (channel in ('email', 'phone', 'sms', 'post')),
    constraint consent_state_known check (state in ('granted', 'bounced', 'withdrawn', 'complained'))
);

-- For reading whom not to write to, oldest first.
create index consent_suppressed on consent (since, identity_id) where channel = 'email' and state <> 'granted';

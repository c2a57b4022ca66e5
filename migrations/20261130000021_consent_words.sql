-- Every word of an identity, not the newest alone: on a device that several people used, whose a word is depends on when it was
-- said; and a yes that turns out to be a machine's leaves what was said before it.
alter table consent drop constraint consent_pkey,
    add constraint consent_pkey primary key (identity_id, channel, event_key);
drop index consent_suppressed;
create index consent_of_mails on consent (identity_id) where channel = 'email';

insert into consent (identity_id, channel, state, since, event_key)
select identity_id, 'email',
    case type when 'email_subscribed' then 'granted' when 'email_unsubscribed' then 'withdrawn'
        when 'email_complained' then 'complained' else 'bounced' end,
    occurred_at, event_key
from event
where type in ('email_unsubscribed', 'email_complained')
    or (type = 'email_subscribed' and verdict <> 'machine')
    or (type = 'email_bounced' and properties ->> 'bounce_type' is distinct from 'soft')
union all
select identity_id, properties ->> 'channel', properties ->> 'state', occurred_at, event_key
from event where type = 'consent_changed'
on conflict do nothing;

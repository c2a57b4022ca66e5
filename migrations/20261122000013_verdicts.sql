-- Why an event's verdict is what it is: a finding, or the words of whoever decided; null: nothing speaks against a person.
alter table event add column verdict_reason text;
-- What the event gave away by itself. What its mail gives away, or a person decides, stands over it.
alter table event add column found text;
-- Until when a suspect click is to wait; until it is released, the event counts for nothing.
alter table event add column held_until timestamptz;
-- When a person decided on the verdict, which the service then leaves alone.
alter table event add column decided_at timestamptz;
alter table event add constraint event_verdict_has_a_reason
    check ((verdict_reason is null) = (verdict = 'human' and decided_at is null));
alter table event add constraint event_only_suspects_wait
    check (held_until is null or (verdict = 'suspect' and decided_at is null));

-- The events that are to be released.
create index event_held on event (held_until) where held_until is not null;
-- The events of a mail, as one address got it: what they give away together is looked at again with each that comes.
create index event_of_mail on event (identity_id, (properties ->> 'message_id'))
    where type in ('email_clicked', 'email_delivered', 'email_unsubscribed');

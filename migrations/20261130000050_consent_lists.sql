-- The one list of mails of which a word was said, such as an unsubscribe group: a yes to it answers a no to it, and no other. Null:
-- the word is of the whole channel. Derived from the event, as `leads::consent::fact` does.
alter table consent add column list text;

update consent said set list = left(
    case when jsonb_typeof(e.properties -> 'provider') = 'string' then e.properties ->> 'provider' else '' end
        || '/' || (e.properties ->> 'list'), 100)
from event e
where e.identity_id = said.identity_id and e.event_key = said.event_key and said.state <> 'bounced'
    and case jsonb_typeof(e.properties -> 'list')
        when 'string' then e.properties ->> 'list' ~ '\S'
        when 'number' then e.properties ->> 'list' ~ '^-?[0-9]{1,18}$'
        else false
    end;

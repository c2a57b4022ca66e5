-- What several rooms ask of leads. Each view says it once.

-- Every event in the spans of a lead, whatever its verdict. An event counts for the score if it is not a machine's and does
-- not wait: `verdict <> 'machine' and held_until is null`.
create view lead_event as
select span.lead_id, event.identity_id, event.event_key, event.id, event.type, event.occurred_at, event.received_at,
    event.verdict, event.verdict_reason, event.held_until, event.properties, event.traits
from identity_span span
join event on event.identity_id = span.identity_id
    and event.occurred_at >= span.since and (span.until is null or event.occurred_at < span.until);

-- The leads that a lead has become, itself first (step 0). The last one, its heir, is merged into no other. The recursion
-- stands in a lateral subquery, so that a condition on `lead_id` restricts where it begins.
create view lead_trail as
select lead.id as lead_id, trail.step, trail.id as became_id, trail.merged_into
from lead
cross join lateral (
    with recursive trail as (
        select lead.id, lead.merged_into, 0 as step
        union all
        select next.id, next.merged_into, trail.step + 1 from trail join lead next on next.id = trail.merged_into
    )
    select id, merged_into, step from trail
) trail;

-- A lead, and all leads that were merged into it, directly or by way of others.
create view lead_family as
select lead.id as lead_id, family.id as member_id
from lead
cross join lateral (
    with recursive family as (
        select lead.id
        union all
        select merged.id from family join lead merged on merged.merged_into = family.id
    )
    select id from family
) family;

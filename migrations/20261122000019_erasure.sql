-- Of somebody who was erased the passages and outcomes stay, so that what was counted stays counted. The id by which they
-- name the lead is nobody's any more.
alter table transition drop constraint transition_lead_fkey;
alter table outcome drop constraint outcome_lead_fkey;
alter table outcome drop constraint outcome_home_fkey;

-- Whom an identity was said to follow, from the other end: to erase it, and for the list of conflicts.
create index identity_link_parent on identity_link (parent_id);

-- For reading whom not to write to.
create index score_do_not_contact on score (model_id, lead_id) where do_not_contact;

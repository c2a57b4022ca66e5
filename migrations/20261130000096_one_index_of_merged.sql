-- Two migrations made this index, under two names. `lead_merged_into` stays.
drop index lead_merged;

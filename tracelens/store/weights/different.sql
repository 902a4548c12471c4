-- weighted_q where weights differ: that of macros.sql again.
drop macro if exists temp.weighted_q;

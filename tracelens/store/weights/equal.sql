-- weighted_q where all weights are equal: it gives what that of macros.sql would, which takes longer to plan than most
-- statements that call it.
create or replace temp macro weighted_q(x, weight, p) as cast(quantile_disc(x, p) as double);

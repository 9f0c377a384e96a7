begin nova-cell-1 say dash
begin v1.2.3 say dots
begin under_score say score
finish nova-cell-1 v1.2.3 under_score
async_wait nova-cell-1 v1.2.3 under_score

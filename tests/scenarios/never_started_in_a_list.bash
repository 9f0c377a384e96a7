# As devstack waits for ks-{domain-role,domain,project}: the middle one is never started.
begin ks-domain-role say role
begin ks-project say project
finish ks-domain-role ks-project
async_wait ks-{domain-role,domain,project}
echo "status $?"

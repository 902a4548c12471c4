-- Every service that ever sent something here, whatever the window.
select distinct r.service_name
from resources as r
order by r.service_name

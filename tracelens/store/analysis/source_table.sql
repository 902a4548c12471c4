-- The table of the list read whose rows a repeated call seems to walk.
select min(h.tables[1]) as table_name
from call_groups as g
inner join query_shapes as h on g.source_shape_id = h.query_shape_id
where g.trace_id = $trace_id and g.request_span_id = $request_span_id and g.shape = $shape

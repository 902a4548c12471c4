//! Columns of `span_rows`, `span_events` and `span_links` from collected spans: those of a trace together, traces and
//! their spans in the order of arrival.

const std = @import("std");
const collect = @import("collect.zig");
const columns = @import("columns.zig");
const numbers = @import("numbers.zig");
const tables = @import("tables.zig");

const Allocator = std.mem.Allocator;
const Error = columns.Error;

/// What Python told of the batch: texts of its rendered values, and the weight of each of its trace states.
pub const Told = struct {
    rendered_offsets: []const i32,
    rendered_data: []const u8,
    rendered_nulls: []const u8,
    weights: []const f32,

    fn rendered(told: Told, number: u32) ?[]const u8 {
        if (told.rendered_nulls[number] != 0) return null;
        return told.rendered_data[@intCast(told.rendered_offsets[number])..@intCast(told.rendered_offsets[number + 1])];
    }
};

pub const Rows = struct {
    trace_ids: [][16]u8,
    span_ids: []u64,
    parents: columns.Fixed(u64),
    starts: []i64,
    durations: []i64,
    shapes: []i32,
    weights: []f32,
    text_ids: columns.Fixed(i32),
    hashes: columns.Fixed(i64),
    url_full: columns.Texts,
    url_path: columns.Texts,
    url_query: columns.Texts,
    value_offsets: []i32,
    values: columns.Texts,
    /// Query texts that are new, their ids counted up, and the signature of the span that each came with.
    new_texts: columns.Texts,
    new_text_signatures: []u32,
    events: Details,
    links: Details,
    /// Rows whose span came before, by trace, id and start.
    repeated: []i64,
};

pub const Details = struct {
    owners: []i64,
    trace_ids: [][16]u8,
    span_ids: []u64,
    times: []i64,
    names: columns.Texts,
    linked_trace_ids: [][16]u8,
    linked_span_ids: []u64,
    pair_offsets: []i32,
    keys: columns.Texts,
    values: columns.Texts,
};

pub fn emit(batch: *collect.Batch, told: Told, first_text_id: u32, allocator: Allocator) Error!Rows {
    const order = try inTraces(batch);
    const count = order.len;
    var emitter: Emitter = .{ .batch = batch, .told = told, .next_text_id = first_text_id };
    var totals: struct { values: usize = 0, texts: usize = 0 } = .{};
    for (batch.spans.items) |span| {
        totals.values += span.values;
        totals.texts += @intFromBool(span.query_text.len > 0);
    }
    var rows: Rows = .{
        .trace_ids = try allocator.alignedAlloc([16]u8, .@"16", count),
        .span_ids = try allocator.alloc(u64, count),
        .parents = try .init(allocator, count),
        .starts = try allocator.alloc(i64, count),
        .durations = try allocator.alloc(i64, count),
        .shapes = try allocator.alloc(i32, count),
        .weights = try allocator.alloc(f32, count),
        .text_ids = try .init(allocator, count),
        .hashes = try .init(allocator, count),
        .url_full = try .init(allocator, count),
        .url_path = try .init(allocator, count),
        .url_query = try .init(allocator, count),
        .value_offsets = try allocator.alloc(i32, count + 1),
        .values = try .init(allocator, totals.values),
        .new_texts = try .init(allocator, totals.texts),
        .new_text_signatures = try allocator.alloc(u32, totals.texts),
        .events = undefined,
        .links = undefined,
        .repeated = undefined,
    };
    const known = batch.known;
    const text_ids = try batch.arena.allocator().alloc(?i32, count);
    for (batch.spans.items, text_ids) |*span, *id| id.* = try emitter.textId(span, &rows);
    rows.value_offsets[0] = 0;
    for (order, 0..) |number, row| {
        const span = &batch.spans.items[number];
        rows.trace_ids[row] = batch.trace_ids.items[span.trace];
        rows.span_ids[row] = span.span_id;
        rows.parents.set(row, if (span.parent == 0) null else span.parent);
        rows.starts[row] = span.start;
        rows.durations[row] = span.duration;
        rows.shapes[row] = known.shapes.items[span.signature];
        rows.weights[row] = told.weights[span.state];
        rows.text_ids.set(row, text_ids[number]);
        rows.hashes.set(row, try emitter.parameterHash(span));
        try rows.url_full.addOrNull(span.url_full);
        try emitUrl(span, &rows);
        for (batch.values.items[span.first_value..][0..span.values]) |value| try emitter.add(&rows.values, value);
        rows.value_offsets[row + 1] = @intCast(rows.values.rows);
    }
    const places = try batch.arena.allocator().alloc(u32, count);
    for (order, 0..) |number, row| places[number] = @intCast(row);
    rows.repeated = try repeatedRows(batch, order, allocator);
    rows.events = try emitter.details(batch.events.items, places, allocator);
    rows.links = try emitter.details(batch.links.items, places, allocator);
    return rows;
}

fn repeatedRows(batch: *const collect.Batch, order: []const u32, allocator: Allocator) Error![]i64 {
    const spans = batch.spans.items;
    var repeated: std.ArrayList(i64) = .empty;
    var first_rows: tables.Numbers = .init(batch.arena.allocator(), batch.known.seed);
    try first_rows.reserve(order.len);
    for (order, 0..) |number, row| {
        const span = &spans[number];
        const spread = @as(u64, span.trace) *% (batch.known.seed | 1); // secret: ids that meet here cannot be made up
        const first = try first_rows.at(.{ span.span_id ^ spread, @bitCast(span.start) });
        if (first.* == tables.Numbers.none) {
            first.* = @intCast(row);
            continue;
        }
        const other = &spans[order[first.*]];
        if (other.trace == span.trace and other.span_id == span.span_id) try repeated.append(allocator, @intCast(row));
    }
    return repeated.items;
}

/// A path that carries the query is split: old conventions had both in one attribute, and some still do.
fn emitUrl(span: *const collect.Span, rows: *Rows) Error!void {
    var path = span.url_path;
    var query = span.url_query;
    if (std.mem.indexOfScalar(u8, path, '?')) |mark| {
        if (query.len == 0) query = path[mark + 1 ..];
        path = path[0..mark];
        try rows.url_path.add(path);
    } else try rows.url_path.addOrNull(path);
    try rows.url_query.addOrNull(query);
}

/// Return the numbers of the spans in the order of the rows.
fn inTraces(batch: *collect.Batch) Error![]u32 {
    const allocator = batch.arena.allocator();
    const spans = batch.spans.items;
    const next = try allocator.alloc(u32, batch.trace_ids.items.len + 1);
    @memset(next, 0);
    for (spans) |span| next[span.trace + 1] += 1;
    for (1..next.len) |trace| next[trace] += next[trace - 1];
    const order = try allocator.alloc(u32, spans.len);
    for (spans, 0..) |span, number| {
        order[next[span.trace]] = @intCast(number);
        next[span.trace] += 1;
    }
    return order;
}

const Emitter = struct {
    batch: *collect.Batch,
    told: Told,
    next_text_id: u32,
    framed: std.ArrayList(u8) = .empty,

    fn textId(emitter: *Emitter, span: *const collect.Span, rows: *Rows) Error!?i32 {
        if (span.query_text.len == 0) return null;
        const known = emitter.batch.known;
        const key = known.textKey(known.systems.items[span.signature], span.query_text);
        const id = try known.texts.at(key);
        if (id.* == tables.Numbers.none) {
            id.* = emitter.next_text_id;
            emitter.next_text_id += 1;
            rows.new_text_signatures[rows.new_texts.rows] = span.signature;
            try rows.new_texts.add(span.query_text);
        }
        return @intCast(id.*);
    }

    /// Return a hash of the query's parameters, by name and text, the names in their order.
    fn parameterHash(emitter: *Emitter, span: *const collect.Span) Error!?i64 {
        if (span.parameters == 0) return null;
        const allocator = emitter.batch.arena.allocator();
        const parameters = emitter.batch.parameters.items[span.first_parameter..][0..span.parameters];
        std.mem.sort(collect.Pair, parameters, {}, isBefore); // stable: the values of one name stay in their order
        emitter.framed.clearRetainingCapacity();
        for (parameters) |parameter| {
            try emitter.frame(parameter.key);
            var text: columns.Texts = try .init(allocator, 1);
            try emitter.add(&text, parameter.value);
            if (text.validity.nulls > 0) try emitter.framed.append(allocator, '-') else try emitter.frame(text.data.items);
        }
        return @bitCast(std.hash.XxHash3.hash(0, emitter.framed.items));
    }

    /// A text such that no two sequences of texts read the same when joined.
    fn frame(emitter: *Emitter, text: []const u8) Error!void {
        const allocator = emitter.batch.arena.allocator();
        try numbers.appendInteger(&emitter.framed, allocator, @intCast(text.len));
        try emitter.framed.append(allocator, ':');
        try emitter.framed.appendSlice(allocator, text);
    }

    fn add(emitter: *Emitter, texts: *columns.Texts, value: collect.Text) Error!void {
        switch (value) {
            .none => try texts.addNull(),
            .text => |text| try texts.add(text),
            .boolean => |is_true| try texts.add(if (is_true) "true" else "false"),
            .integer => |number| {
                try numbers.appendInteger(&texts.data, texts.allocator, number);
                try texts.end();
            },
            .double => |number| {
                try numbers.appendDouble(&texts.data, texts.allocator, number);
                try texts.end();
            },
            .base64 => |bytes| {
                const encoder = std.base64.standard.Encoder;
                const place = try texts.data.addManyAsSlice(texts.allocator, encoder.calcSize(bytes.len));
                _ = encoder.encode(place, bytes);
                try texts.end();
            },
            .rendered => |number| {
                if (emitter.told.rendered(number)) |text| try texts.add(text) else try texts.addNull();
            },
        }
    }

    fn details(emitter: *Emitter, items: []const collect.Detail, places: []const u32, allocator: Allocator) Error!Details {
        const count = items.len;
        var pairs: usize = 0;
        for (items) |item| pairs += item.pairs;
        var rows: Details = .{
            .owners = try allocator.alloc(i64, count),
            .trace_ids = try allocator.alignedAlloc([16]u8, .@"16", count),
            .span_ids = try allocator.alloc(u64, count),
            .times = try allocator.alloc(i64, count),
            .names = try .init(allocator, count),
            .linked_trace_ids = try allocator.alignedAlloc([16]u8, .@"16", count),
            .linked_span_ids = try allocator.alloc(u64, count),
            .pair_offsets = try allocator.alloc(i32, count + 1),
            .keys = try .init(allocator, pairs),
            .values = try .init(allocator, pairs),
        };
        rows.pair_offsets[0] = 0;
        for (items, 0..) |item, row| {
            const span = &emitter.batch.spans.items[item.span];
            rows.owners[row] = places[item.span];
            rows.trace_ids[row] = emitter.batch.trace_ids.items[span.trace];
            rows.span_ids[row] = span.span_id;
            rows.times[row] = item.time;
            try rows.names.add(item.name);
            rows.linked_trace_ids[row] = item.trace_id;
            rows.linked_span_ids[row] = item.span_id;
            for (emitter.batch.pairs.items[item.first_pair..][0..item.pairs]) |pair| {
                try rows.keys.add(pair.key);
                try emitter.add(&rows.values, pair.value);
            }
            rows.pair_offsets[row + 1] = @intCast(rows.keys.rows);
        }
        return rows;
    }
};

fn isBefore(_: void, one: collect.Pair, other: collect.Pair) bool {
    return std.mem.order(u8, one.key, other.key) == .lt;
}

//! What Python calls: plain functions on pointers, whose types `tracelens/native/library.py` repeats.
//!
//! A batch is made of requests that `tracelens_check` found plain, and lives until it is freed; what it points to lives
//! as long. Functions that allocate return a status, and none leaves the process in a state that the next call minds.

const std = @import("std");
const attributes = @import("attributes.zig");
const check = @import("check.zig");
const collect = @import("collect.zig");
const columns = @import("columns.zig");
const emit = @import("emit.zig");

/// No message and no trace: the library has no standard library of C, and the process dumps core.
pub const panic = std.debug.no_panic;

const allocator = std.heap.page_allocator;

const Bytes = extern struct {
    data: [*]const u8,
    length: u64,

    fn slice(bytes: Bytes) []const u8 {
        return bytes.data[0..@intCast(bytes.length)];
    }
};

/// Of these functions and their types: a library of another version is not used.
export fn tracelens_interface() u32 {
    return 1;
}

const Status = enum(i32) { done = 0, out_of_memory = 1, too_large = 2 };

/// Write how many spans each request holds, or -1 where it is not plain.
export fn tracelens_check(requests: [*]const Bytes, count: u64, spans: [*]i64) void {
    for (requests[0..@intCast(count)], spans[0..@intCast(count)]) |request, *found| {
        found.* = if (check.spanCount(request.slice())) |number| @intCast(number) else |_| -1;
    }
}

export fn tracelens_open(seed: u64) ?*collect.Known {
    const known = allocator.create(collect.Known) catch return null;
    known.* = .init(allocator, seed);
    return known;
}

export fn tracelens_close(known: *collect.Known) void {
    known.deinit();
    allocator.destroy(known);
}

export fn tracelens_tell_name(known: *collect.Known, name: Bytes, role: attributes.Role) Status {
    known.roles.tell(name.slice(), role) catch return .out_of_memory;
    return .done;
}

export fn tracelens_tell_prefix(known: *collect.Known, prefix: Bytes) Status {
    known.roles.tellPrefix(prefix.slice()) catch return .out_of_memory;
    return .done;
}

/// Tell the id of a query text that is stored already.
export fn tracelens_tell_text(known: *collect.Known, system: u32, text: Bytes, id: u32) Status {
    const place = known.texts.at(known.textKey(system, text.slice())) catch return .out_of_memory;
    place.* = id;
    return .done;
}

export fn tracelens_text_count(known: *collect.Known) u64 {
    return known.texts.count;
}

/// Forget query texts whose ids are below the least.
export fn tracelens_forget_texts(known: *collect.Known, least: u32) Status {
    known.texts.forget(least) catch return .out_of_memory;
    return .done;
}

const Collected = extern struct {
    spans: u64,
    examples: u64,
    first_signature: u32,
    rendered: u64,
    states: u64,
    odd: u64,
};

/// Read requests into a new batch.
export fn tracelens_collect(known: *collect.Known, requests: [*]const Bytes, count: u64, found: *Collected) ?*collect.Batch {
    const batch = collect.Batch.create(known) catch {
        known.forgetSignatures();
        return null;
    };
    // Every signature has the tables behind it from the beginning: the state of no trace state is the first.
    for (requests[0..@intCast(count)], 0..) |request, position| {
        batch.read(@intCast(position), request.slice()) catch {
            known.forgetSignatures(); // those of the batch would stay without a shape
            batch.destroy();
            return null;
        };
    }
    found.* = .{
        .spans = batch.spans.items.len,
        .examples = batch.examples.items.len,
        .first_signature = batch.first_signature,
        .rendered = batch.rendered.items.items.len,
        .states = batch.states.items.items.len,
        .odd = batch.odd.items.len,
    };
    return batch;
}

export fn tracelens_free(batch: *collect.Batch) void {
    batch.destroy();
}

const Example = extern struct { resource: Bytes, scope: Bytes, span: Bytes, values: u32, has_resource: bool, has_scope: bool };

export fn tracelens_example(batch: *collect.Batch, number: u64) Example {
    const example = batch.examples.items[@intCast(number)];
    return .{
        .resource = asBytes(example.resource orelse ""),
        .scope = asBytes(example.scope orelse ""),
        .span = asBytes(example.span),
        .values = example.values,
        .has_resource = example.resource != null,
        .has_scope = example.scope != null,
    };
}

/// The serialised AnyValue of a value that Python renders.
export fn tracelens_unrendered(batch: *collect.Batch, number: u64) Bytes {
    return asBytes(batch.rendered.items.items[@intCast(number)]);
}

export fn tracelens_state(batch: *collect.Batch, number: u64) Bytes {
    return asBytes(batch.states.items.items[@intCast(number)]);
}

export fn tracelens_odd(batch: *collect.Batch, number: u64) u32 {
    return batch.odd.items[@intCast(number)];
}

/// Tell the shape of a signature, and the number of its database system.
export fn tracelens_tell_shape(known: *collect.Known, signature: u32, shape: i32, system: u32) void {
    known.shapes.items[signature] = shape;
    known.systems.items[signature] = system;
}

export fn tracelens_forget_signatures(known: *collect.Known) void {
    known.forgetSignatures();
}

const Told = extern struct {
    rendered_offsets: [*]const i32,
    rendered_data: [*]const u8,
    rendered_nulls: [*]const u8,
    weights: [*]const f32,
    first_text_id: u32,
};

const Buffer = extern struct { data: ?*const anyopaque, size: u64 };
const FixedOut = extern struct { values: Buffer, validity: Buffer, nulls: u64 };
const TextsOut = extern struct { offsets: Buffer, data: Buffer, validity: Buffer, nulls: u64, rows: u64 };
const DetailsOut = extern struct {
    rows: u64,
    owners: Buffer,
    trace_ids: Buffer,
    span_ids: Buffer,
    times: Buffer,
    names: TextsOut,
    linked_trace_ids: Buffer,
    linked_span_ids: Buffer,
    pair_offsets: Buffer,
    keys: TextsOut,
    values: TextsOut,
};
const RowsOut = extern struct {
    trace_ids: Buffer,
    span_ids: Buffer,
    parents: FixedOut,
    starts: Buffer,
    durations: Buffer,
    shapes: Buffer,
    weights: Buffer,
    text_ids: FixedOut,
    hashes: FixedOut,
    url_full: TextsOut,
    url_path: TextsOut,
    url_query: TextsOut,
    value_offsets: Buffer,
    values: TextsOut,
    new_texts: TextsOut,
    new_text_signatures: Buffer,
    events: DetailsOut,
    links: DetailsOut,
    repeated: Buffer,
};

/// Turn a batch into columns, once; every example must have been told its shape.
export fn tracelens_emit(batch: *collect.Batch, told: *const Told, out: *RowsOut) Status {
    const rendered = batch.rendered.items.items.len;
    const offsets = told.rendered_offsets[0 .. rendered + 1];
    const rows = emit.emit(batch, .{
        .rendered_offsets = offsets,
        .rendered_data = told.rendered_data[0..@intCast(offsets[rendered])],
        .rendered_nulls = told.rendered_nulls[0..rendered],
        .weights = told.weights[0..batch.states.items.items.len],
    }, told.first_text_id, batch.arena.allocator()) catch |err| return switch (err) {
        error.OutOfMemory => .out_of_memory,
        error.TooLarge => .too_large,
    };
    out.* = .{
        .trace_ids = buffer(rows.trace_ids),
        .span_ids = buffer(rows.span_ids),
        .parents = fixed(rows.parents),
        .starts = buffer(rows.starts),
        .durations = buffer(rows.durations),
        .shapes = buffer(rows.shapes),
        .weights = buffer(rows.weights),
        .text_ids = fixed(rows.text_ids),
        .hashes = fixed(rows.hashes),
        .url_full = texts(rows.url_full),
        .url_path = texts(rows.url_path),
        .url_query = texts(rows.url_query),
        .value_offsets = buffer(rows.value_offsets),
        .values = texts(rows.values),
        .new_texts = texts(rows.new_texts),
        .new_text_signatures = buffer(rows.new_text_signatures),
        .events = details(rows.events),
        .links = details(rows.links),
        .repeated = buffer(rows.repeated),
    };
    return .done;
}

fn details(rows: emit.Details) DetailsOut {
    return .{
        .rows = rows.owners.len,
        .owners = buffer(rows.owners),
        .trace_ids = buffer(rows.trace_ids),
        .span_ids = buffer(rows.span_ids),
        .times = buffer(rows.times),
        .names = texts(rows.names),
        .linked_trace_ids = buffer(rows.linked_trace_ids),
        .linked_span_ids = buffer(rows.linked_span_ids),
        .pair_offsets = buffer(rows.pair_offsets),
        .keys = texts(rows.keys),
        .values = texts(rows.values),
    };
}

fn texts(column: columns.Texts) TextsOut {
    return .{
        .offsets = buffer(column.offsets[0 .. column.rows + 1]),
        .data = buffer(column.data.items),
        .validity = buffer(column.validity.bits),
        .nulls = column.validity.nulls,
        .rows = column.rows,
    };
}

fn fixed(column: anytype) FixedOut {
    return .{
        .values = buffer(column.values),
        .validity = buffer(column.validity.bits),
        .nulls = column.validity.nulls,
    };
}

fn buffer(values: anytype) Buffer {
    return .{ .data = @ptrCast(values.ptr), .size = values.len * @sizeOf(std.meta.Elem(@TypeOf(values))) };
}

fn asBytes(content: []const u8) Bytes {
    return .{ .data = content.ptr, .length = content.len };
}

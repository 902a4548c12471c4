//! The spans of a batch of requests, read into a form that `emit.zig` turns into columns.
//!
//! A span's signature is a hash of everything that its shape says. Spans of a signature met before have its shape; of a
//! new one the caller is given an example, whose shape Python works out.

const std = @import("std");
const attributes = @import("attributes.zig");
const messages = @import("messages.zig");
const memory = @import("memory.zig");
const tables = @import("tables.zig");

const Wyhash = std.hash.Wyhash;

/// What is kept from batch to batch.
pub const Known = struct {
    /// More shapes than services have: their names are made of what they were asked for. Forgotten, they are asked for
    /// again.
    const most_signatures = 200_000;

    seed: u64,
    roles: attributes.Roles,
    signatures: tables.Numbers,
    /// By signature: the shape's id, and the number of its database system; -1 while nobody has told.
    shapes: std.ArrayList(i32) = .empty,
    systems: std.ArrayList(u32) = .empty,
    texts: tables.Numbers,
    allocator: std.mem.Allocator,

    pub fn init(allocator: std.mem.Allocator, seed: u64) Known {
        return .{
            .seed = seed,
            .roles = .init(allocator, seed),
            .signatures = .init(allocator, seed),
            .texts = .init(allocator, seed),
            .allocator = allocator,
        };
    }

    pub fn deinit(known: *Known) void {
        known.roles.deinit();
        known.signatures.deinit();
        known.texts.deinit();
        known.shapes.deinit(known.allocator);
        known.systems.deinit(known.allocator);
    }

    /// Forget all signatures, so that every shape is asked for again.
    pub fn forgetSignatures(known: *Known) void {
        known.signatures.deinit();
        known.signatures = .init(known.allocator, known.seed);
        known.shapes.clearRetainingCapacity();
        known.systems.clearRetainingCapacity();
    }

    pub fn textKey(known: *const Known, system: u32, text: []const u8) tables.Numbers.Key {
        return .{ Wyhash.hash(known.seed ^ system, text), Wyhash.hash(~known.seed ^ system, text) };
    }
};

/// A value as the store keeps it.
pub const Text = union(enum) {
    none,
    text: []const u8,
    integer: i64,
    double: f64,
    boolean: bool,
    base64: []const u8,
    /// The position of an AnyValue that Python renders.
    rendered: u32,
};

pub const Pair = struct { key: []const u8, value: Text };

pub const Span = struct {
    trace: u32,
    span_id: u64,
    parent: u64,
    start: i64,
    duration: i64,
    signature: u32,
    state: u32,
    first_value: u32,
    values: u32,
    first_parameter: u32,
    parameters: u32,
    url_full: []const u8,
    url_path: []const u8,
    url_query: []const u8,
    query_text: []const u8,
};

pub const Detail = struct {
    span: u32,
    time: i64,
    name: []const u8,
    trace_id: [16]u8,
    span_id: u64,
    first_pair: u32,
    pairs: u32,
};

/// A span whose signature is new.
pub const Example = struct {
    resource: ?[]const u8,
    scope: ?[]const u8,
    span: []const u8,
    values: u32,
};

const Attribute = struct { number: u32, key: []const u8, value: messages.Value };

pub const Batch = struct {
    known: *Known,
    allocator: std.mem.Allocator,
    arena: *memory.Arena,
    spans: std.ArrayList(Span) = .empty,
    values: std.ArrayList(Text) = .empty,
    parameters: std.ArrayList(Pair) = .empty,
    events: std.ArrayList(Detail) = .empty,
    links: std.ArrayList(Detail) = .empty,
    pairs: std.ArrayList(Pair) = .empty,
    traces: tables.Numbers,
    trace_ids: std.ArrayList([16]u8) = .empty,
    /// AnyValues that Python renders, and trace states, each once.
    rendered: Distinct,
    states: Distinct,
    examples: std.ArrayList(Example) = .empty,
    first_signature: u32,
    /// The positions of requests that are Python's to read.
    odd: std.ArrayList(u32) = .empty,

    first_pair: u32 = 0,
    current: std.ArrayList(Attribute) = .empty,
    details: std.ArrayList([]const u8) = .empty,
    link_details: std.ArrayList([]const u8) = .empty,
    resource_message: ?[]const u8 = null,
    scope_message: ?[]const u8 = null,
    resource_hash: u64 = 0,
    scope_hash: u64 = 0,

    pub fn create(known: *Known) error{OutOfMemory}!*Batch {
        if (known.shapes.items.len > Known.most_signatures or try known.roles.forget()) known.forgetSignatures();
        const batch = try known.allocator.create(Batch);
        errdefer known.allocator.destroy(batch);
        batch.* = .{
            .known = known,
            .allocator = known.allocator,
            .arena = try memory.take(),
            .traces = .init(known.allocator, known.seed),
            .rendered = .{ .numbers = .init(known.allocator, known.seed), .seed = known.seed },
            .states = .{ .numbers = .init(known.allocator, known.seed), .seed = known.seed },
            .first_signature = @intCast(known.shapes.items.len),
        };
        return batch;
    }

    pub fn destroy(batch: *Batch) void {
        batch.traces.deinit();
        batch.rendered.numbers.deinit();
        batch.states.numbers.deinit();
        memory.giveBack(batch.arena);
        batch.allocator.destroy(batch); // what is known may be gone already
    }

    /// Read a request; one that only Python can read is noted and leaves no spans behind.
    pub fn read(batch: *Batch, position: u32, body: []const u8) error{OutOfMemory}!void {
        const spans, const events, const links = .{ batch.spans.items.len, batch.events.items.len, batch.links.items.len };
        messages.readRequest(body, batch) catch |err| switch (err) {
            error.OutOfMemory => return error.OutOfMemory,
            error.NotPlain => {
                batch.spans.shrinkRetainingCapacity(spans);
                batch.events.shrinkRetainingCapacity(events);
                batch.links.shrinkRetainingCapacity(links);
                try batch.odd.append(batch.arena.allocator(), position);
            },
        };
    }

    pub fn resource(batch: *Batch, message: ?[]const u8) messages.Error!void {
        batch.resource_message = message;
        batch.resource_hash = Wyhash.hash(batch.known.seed, message orelse "");
    }

    pub fn scope(batch: *Batch, message: ?[]const u8) messages.Error!void {
        batch.scope_message = message;
        batch.scope_hash = Wyhash.hash(batch.resource_hash, message orelse "");
    }

    pub fn text(_: *Batch, _: []const u8) messages.Error!void {}

    pub fn attribute(batch: *Batch, message: []const u8) !void {
        const read_attribute = try messages.Attribute.read(message);
        const number = try batch.known.roles.number(read_attribute.key);
        try batch.current.append(batch.arena.allocator(), .{
            .number = number,
            .key = read_attribute.key,
            .value = read_attribute.value,
        });
    }

    pub fn event(batch: *Batch, message: []const u8) !void {
        try batch.details.append(batch.arena.allocator(), message);
    }

    pub fn link(batch: *Batch, message: []const u8) !void {
        try batch.link_details.append(batch.arena.allocator(), message);
    }

    pub fn span(batch: *Batch, message: []const u8) !void {
        const allocator = batch.arena.allocator();
        batch.current.clearRetainingCapacity();
        batch.details.clearRetainingCapacity();
        batch.link_details.clearRetainingCapacity();
        const found = try messages.Span.read(message, batch);
        const first_value: u32 = @intCast(batch.values.items.len);
        const first_parameter: u32 = @intCast(batch.parameters.items.len);
        var columns: [attributes.Column.count]attributes.Candidate = @splat(.unusable);
        try batch.fillColumns(&columns);

        var hash = Wyhash.hash(batch.scope_hash, found.name);
        hash = mix(hash, smallEnum(found.kind) | @as(u64, smallEnum(found.status.code)) << 8);
        for (batch.current.items) |entry| {
            const role = batch.known.roles.roles.items[entry.number];
            switch (role.class) {
                .shared => hash = Wyhash.hash(mix(hash, entry.number), entry.value.whole),
                .own => hash = try batch.keep(entry, hash),
                .parameter => {
                    hash = try batch.keep(entry, hash);
                    const value = batch.values.items[batch.values.items.len - 1];
                    try batch.parameters.append(allocator, .{ .key = entry.key, .value = value });
                },
                .column => {
                    const candidate = try attributes.Candidate.of(role.column, entry.value);
                    const isHeld = candidate != .unusable and candidate.equals(columns[@intFromEnum(role.column)]);
                    if (!isHeld) hash = try batch.keep(entry, hash);
                },
            }
        }
        hash = try batch.place(found, &columns, hash);
        const signature = try batch.signatureOf(hash, message, first_value);
        const number: u32 = @intCast(batch.spans.items.len);
        const trace = try batch.traceOf(found.trace_id);
        const start = clamped(found.start);
        try batch.spans.append(allocator, .{
            .trace = trace,
            .span_id = idNumber(found.span_id),
            .parent = idNumber(found.parent_span_id),
            .start = start,
            .duration = clamped(found.end) - start,
            .signature = signature,
            .state = try batch.states.number(allocator, found.trace_state),
            .first_value = first_value,
            .values = @intCast(batch.values.items.len - first_value),
            .first_parameter = first_parameter,
            .parameters = @intCast(batch.parameters.items.len - first_parameter),
            .url_full = textOf(columns[@intFromEnum(attributes.Column.url_full)]),
            .url_path = textOf(columns[@intFromEnum(attributes.Column.url_path)]),
            .url_query = textOf(columns[@intFromEnum(attributes.Column.url_query)]),
            .query_text = textOf(columns[@intFromEnum(attributes.Column.query_text)]),
        });
        for (batch.details.items) |detail| {
            const collected = try messages.Event.read(detail, batch.pairVisitor());
            try batch.addDetail(&batch.events, number, .{ .time = clamped(collected.time), .name = collected.name });
        }
        for (batch.link_details.items) |detail| {
            const collected = try messages.Link.read(detail, batch.pairVisitor());
            try batch.addDetail(&batch.links, number, .{
                .name = collected.trace_state,
                .trace_id = idBytes(collected.trace_id),
                .span_id = idNumber(collected.span_id),
            });
        }
    }

    /// Find what fills each column: the name of the highest priority, of several with that name the last.
    fn fillColumns(batch: *Batch, columns: *[attributes.Column.count]attributes.Candidate) !void {
        var ranks: [attributes.Column.count]u8 = @splat(255);
        for (batch.current.items) |entry| {
            const role = batch.known.roles.roles.items[entry.number];
            if (role.class != .column or role.rank > ranks[@intFromEnum(role.column)]) continue;
            const candidate = try attributes.Candidate.of(role.column, entry.value);
            if (candidate == .unusable) continue;
            ranks[@intFromEnum(role.column)] = role.rank;
            columns[@intFromEnum(role.column)] = candidate;
        }
    }

    /// Keep the value of an attribute with the span, its name in the shape.
    fn keep(batch: *Batch, entry: Attribute, hash: u64) !u64 {
        try batch.values.append(batch.arena.allocator(), try batch.textFor(entry.value));
        return mix(hash, entry.number);
    }

    /// Keep what fills columns that few spans have after the attributes, in the order that the shape tells.
    fn place(
        batch: *Batch,
        found: messages.Span,
        columns: *const [attributes.Column.count]attributes.Candidate,
        hash: u64,
    ) !u64 {
        const allocator = batch.arena.allocator();
        var present: u64 = 0;
        for ([_][]const u8{ found.status.message, found.trace_state }, 0..) |content, bit| {
            if (content.len == 0) continue;
            present |= @as(u64, 1) << @intCast(bit);
            try batch.values.append(allocator, .{ .text = content });
        }
        for (columns[@intFromEnum(attributes.Column.returned_rows)..], 2..) |column, bit| {
            if (column == .unusable) continue;
            present |= @as(u64, 1) << @intCast(bit);
            try batch.values.append(allocator, .{ .integer = column.integer });
        }
        return mix(hash, present);
    }

    fn signatureOf(batch: *Batch, hash: u64, message: []const u8, first_value: u32) !u32 {
        const known = batch.known;
        const number = try known.signatures.at(.{ hash, known.seed });
        if (number.* == tables.Numbers.none) {
            try batch.examples.append(batch.arena.allocator(), .{
                .resource = batch.resource_message,
                .scope = batch.scope_message,
                .span = message,
                .values = @intCast(batch.values.items.len - first_value),
            });
            try known.shapes.append(known.allocator, -1);
            try known.systems.append(known.allocator, 0);
            number.* = @intCast(known.shapes.items.len - 1);
        }
        return number.*;
    }

    fn traceOf(batch: *Batch, id: []const u8) !u32 {
        const bytes = idBytes(id);
        const number = try batch.traces.at(@bitCast(bytes));
        if (number.* == tables.Numbers.none) {
            try batch.trace_ids.append(batch.arena.allocator(), bytes);
            number.* = @intCast(batch.trace_ids.items.len - 1);
        }
        return number.*;
    }

    fn textFor(batch: *Batch, value: messages.Value) !Text {
        return switch (value.kind) {
            .absent => .none,
            .string => .{ .text = value.bytes },
            .integer => .{ .integer = @bitCast(value.number) },
            .boolean => .{ .boolean = value.number != 0 },
            .bytes => .{ .base64 = value.bytes },
            .double => .{ .double = @bitCast(value.number) },
            .array, .map => .{ .rendered = try batch.rendered.number(batch.arena.allocator(), value.whole) },
        };
    }

    const Told = struct { time: i64 = 0, name: []const u8, trace_id: [16]u8 = @splat(0), span_id: u64 = 0 };

    fn addDetail(batch: *Batch, list: *std.ArrayList(Detail), number: u32, told: Told) !void {
        try list.append(batch.arena.allocator(), .{
            .span = number,
            .time = told.time,
            .name = told.name,
            .trace_id = told.trace_id,
            .span_id = told.span_id,
            .first_pair = batch.first_pair,
            .pairs = @intCast(batch.pairs.items.len - batch.first_pair),
        });
    }

    const PairVisitor = struct {
        batch: *Batch,

        pub fn text(_: PairVisitor, _: []const u8) messages.Error!void {}

        pub fn attribute(visitor: PairVisitor, message: []const u8) !void {
            const found = try messages.Attribute.read(message);
            const value = try visitor.batch.textFor(found.value);
            try visitor.batch.pairs.append(visitor.batch.arena.allocator(), .{ .key = found.key, .value = value });
        }
    };

    fn pairVisitor(batch: *Batch) PairVisitor {
        batch.first_pair = @intCast(batch.pairs.items.len);
        return .{ .batch = batch };
    }
};

/// Byte strings of a batch, each once.
pub const Distinct = struct {
    numbers: tables.Numbers,
    seed: u64,
    items: std.ArrayList([]const u8) = .empty,

    fn number(distinct: *Distinct, allocator: std.mem.Allocator, item: []const u8) !u32 {
        const place = try distinct.numbers.at(.{ Wyhash.hash(distinct.seed, item), Wyhash.hash(~distinct.seed, item) });
        if (place.* == tables.Numbers.none) {
            try distinct.items.append(allocator, item);
            place.* = @intCast(distinct.items.items.len - 1);
        }
        return place.*;
    }
};

fn mix(hash: u64, number: u64) u64 {
    const product = @as(u128, hash ^ 0xa0761d6478bd642f) * @as(u128, number ^ 0xe7037ed1a0b428db);
    return @as(u64, @truncate(product)) ^ @as(u64, @truncate(product >> 64));
}

/// Return an enum as OTLP's int32, 0 where that is none of its values in a byte.
fn smallEnum(number: u64) u8 {
    const signed: i32 = @bitCast(@as(u32, @truncate(number)));
    return std.math.cast(u8, signed) orelse 0;
}

/// Return a time as signed nanoseconds; those past the year 2262 become its last.
fn clamped(time: u64) i64 {
    return @intCast(@min(time, std.math.maxInt(i64)));
}

fn idNumber(id: []const u8) u64 {
    return if (id.len == 8) std.mem.readInt(u64, id[0..8], .big) else 0;
}

fn idBytes(id: []const u8) [16]u8 {
    return if (id.len == 16) id[0..16].* else @splat(0);
}

fn textOf(candidate: attributes.Candidate) []const u8 {
    return if (candidate == .text) candidate.text else "";
}

//! What the attributes of a span say: which belong to its shape, which fill a column, which are a value of its own.

const std = @import("std");
const messages = @import("messages.zig");
const tables = @import("tables.zig");

/// Columns that a span has of its own. The caller numbers them alike.
pub const Column = enum(u8) {
    url_full,
    url_path,
    url_query,
    query_text,
    returned_rows,
    affected_rows,
    response_body_size,
    folded_spans,
    folded_ns,
    folded_longest_ns,

    pub const count = std.enums.values(Column).len;

    pub fn isInteger(column: Column) bool {
        return @intFromEnum(column) >= @intFromEnum(Column.returned_rows);
    }

    fn fits(column: Column, number: i64) bool {
        return column != .folded_spans or std.math.cast(i32, number) != null;
    }
};

pub const Class = enum(u8) { own, parameter, shared, column };

/// What attributes of one name are; `rank` is the priority of the name among those of its column, 0 the highest.
pub const Role = extern struct {
    class: Class = .own,
    column: Column = .url_full,
    rank: u8 = 0,
};

/// The names of attributes, and their roles by their numbers.
pub const Roles = struct {
    /// More names than instrumentations have: a sender makes them up, and they are forgotten in time.
    const most = 50_000;

    allocator: std.mem.Allocator,
    names: tables.Names,
    roles: std.ArrayList(Role) = .empty,
    prefixes: std.ArrayList([]const u8) = .empty,
    told: usize = 0,

    pub fn init(allocator: std.mem.Allocator, seed: u64) Roles {
        return .{ .allocator = allocator, .names = .init(allocator, seed) };
    }

    pub fn deinit(roles: *Roles) void {
        for (roles.prefixes.items) |prefix| roles.allocator.free(prefix);
        roles.prefixes.deinit(roles.allocator);
        roles.roles.deinit(roles.allocator);
        roles.names.deinit();
    }

    /// Tell the role of a name; before any other name is met.
    pub fn tell(roles: *Roles, name: []const u8, role: Role) error{OutOfMemory}!void {
        try roles.roles.ensureUnusedCapacity(roles.allocator, 1);
        const told = try roles.names.number(name);
        if (told == roles.roles.items.len) roles.roles.appendAssumeCapacity(role);
        roles.told = roles.roles.items.len;
    }

    /// Tell how the names of query parameters begin.
    pub fn tellPrefix(roles: *Roles, prefix: []const u8) error{OutOfMemory}!void {
        try roles.prefixes.append(roles.allocator, try roles.allocator.dupe(u8, prefix));
    }

    pub fn number(roles: *Roles, name: []const u8) error{OutOfMemory}!u32 {
        try roles.roles.ensureUnusedCapacity(roles.allocator, 1); // a name without a role would be met again
        const found = try roles.names.number(name);
        if (found == roles.roles.items.len) {
            var role: Role = .{};
            for (roles.prefixes.items) |prefix| {
                if (std.mem.startsWith(u8, name, prefix)) role.class = .parameter;
            }
            roles.roles.appendAssumeCapacity(role);
        }
        return found;
    }

    /// Forget names that were not told where there are too many; return whether it happened.
    pub fn forget(roles: *Roles) error{OutOfMemory}!bool {
        if (roles.roles.items.len < most) return false;
        var fresh: tables.Names = .init(roles.allocator, roles.names.seed);
        errdefer fresh.deinit();
        for (roles.names.names.items[0..roles.told]) |name| _ = try fresh.number(name);
        roles.names.deinit();
        roles.names = fresh;
        roles.roles.shrinkRetainingCapacity(roles.told);
        return true;
    }
};

/// How an attribute's value can fill a column.
pub const Candidate = union(enum) {
    unusable,
    text: []const u8,
    integer: i64,

    /// A value that only Python's reading of it decides is `error.NotPlain`: its request goes that way.
    pub fn of(column: Column, value: messages.Value) error{NotPlain}!Candidate {
        switch (value.kind) {
            .absent => return .unusable,
            .string => {
                if (value.bytes.len == 0) return .unusable;
                if (!column.isInteger()) return .{ .text = value.bytes };
                const number = decimal(value.bytes) orelse return error.NotPlain;
                return if (column.fits(number)) .{ .integer = number } else error.NotPlain;
            },
            .integer => {
                const number: i64 = @bitCast(value.number);
                return if (column.isInteger() and column.fits(number)) .{ .integer = number } else error.NotPlain;
            },
            else => return error.NotPlain,
        }
    }

    pub fn equals(one: Candidate, other: Candidate) bool {
        return switch (one) {
            .unusable => false,
            .text => |text| std.mem.eql(u8, text, other.text),
            .integer => |number| number == other.integer,
        };
    }
};

/// Return a whole number of at most 18 digits.
fn decimal(text: []const u8) ?i64 {
    const digits = if (text[0] == '-') text[1..] else text;
    if (digits.len == 0 or digits.len > 18) return null;
    var number: i64 = 0;
    for (digits) |digit| {
        if (digit < '0' or digit > '9') return null;
        number = number * 10 + (digit - '0');
    }
    return if (text[0] == '-') -number else number;
}

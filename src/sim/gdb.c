#include "sim/gdb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Protocol: "GDB Remote Serial Protocol", appendix of the GDB manual. */
enum {
    PACKET_BYTES = 8192, /* the longest packet taken, and twice the most memory moved at once */
    BREAKPOINTS = 256,
    WATCHPOINTS = 32,
    REGISTERS = 33,       /* x0 .. x31, pc */
    POLL_INTERVAL = 4096, /* instructions between two looks at the socket while running */
    INTERRUPT = 0x03
};

typedef struct watchpoint {
    uint32_t address, bytes;
    char kind; /* '2' write, '3' read, '4' both */
} watchpoint;

struct ts__gdb {
    int listener, socket;
    ts__core *core;
    bool stepping;
    bool skip; /* the next look is at the instruction where it already stopped */
    bool acknowledges;
    uint32_t since_poll;
    uint32_t breakpoints[BREAKPOINTS];
    uint32_t breakpoint_count;
    watchpoint watchpoints[WATCHPOINTS];
    uint32_t watchpoint_count;
    const char *hit; /* name of the stop reason of a watchpoint that the last instruction met, or NULL */
    uint32_t hit_address;
    char packet[PACKET_BYTES + 1];
    char reply[2 * PACKET_BYTES];
};

static const char target_description[] =
    "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">"
    "<architecture>riscv:rv32</architecture></target>";

/* ---- bytes and packets ---- */

/* The next byte from the debugger, or -1 when it is gone. */
static int receive_byte(ts__gdb *gdb) {
    unsigned char byte;
    ssize_t got;
    do {
        got = recv(gdb->socket, &byte, 1, 0);
    } while (got < 0 && errno == EINTR);
    return got == 1 ? byte : -1;
}

static void send_bytes(ts__gdb *gdb, const char *data, size_t size) {
    while (size > 0) {
        ssize_t sent = send(gdb->socket, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return;
        }
        data += sent;
        size -= (size_t)sent;
    }
}

static void send_packet(ts__gdb *gdb, const char *text) {
    unsigned sum = 0;
    size_t size = strlen(text);
    char tail[4];
    for (size_t i = 0; i < size; i++) {
        sum += (unsigned char)text[i];
    }
    snprintf(tail, sizeof tail, "#%02x", sum & 0xffu);
    send_bytes(gdb, "$", 1);
    send_bytes(gdb, text, size);
    send_bytes(gdb, tail, 3);
}

static int hex_digit(int c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Reads one packet into gdb->packet: its length, or -1 when the debugger is gone. Packets that are too
 * long or damaged are asked for again. */
static int receive_packet(ts__gdb *gdb) {
    for (;;) {
        int c = receive_byte(gdb);
        if (c < 0) {
            return -1;
        }
        if (c != '$') {
            continue;
        }
        int size = 0;
        unsigned sum = 0;
        while ((c = receive_byte(gdb)) >= 0 && c != '#') {
            sum += (unsigned)c;
            if (size <= PACKET_BYTES) {
                gdb->packet[size < PACKET_BYTES ? size : PACKET_BYTES] = (char)c;
                size++;
            }
        }
        int high = hex_digit(receive_byte(gdb)), low = hex_digit(receive_byte(gdb));
        if (c < 0) {
            return -1;
        }
        bool good =
            size <= PACKET_BYTES && high >= 0 && low >= 0 && (unsigned)(high * 16 + low) == (sum & 0xffu);
        if (gdb->acknowledges) {
            send_bytes(gdb, good ? "+" : "-", 1);
        }
        if (good) {
            gdb->packet[size] = '\0';
            return size;
        }
    }
}

/* Parses hexadecimal digits at *text, at most 32 bits of them; false where there is none. */
static bool parse_hex(const char **text, uint32_t *value) {
    const char *at = *text;
    uint64_t result = 0;
    while (hex_digit(*at) >= 0 && result <= UINT32_MAX) {
        result = result * 16u + (uint64_t)hex_digit(*at++);
    }
    bool good = at != *text && result <= UINT32_MAX;
    *value = (uint32_t)result;
    *text = at;
    return good;
}

/* Two numbers separated by a comma: "1c000000,40". */
static bool parse_pair(const char **text, uint32_t *first, uint32_t *second) {
    return parse_hex(text, first) && *(*text)++ == ',' && parse_hex(text, second);
}

static bool parse_byte(const char **text, uint8_t *byte) {
    int high = hex_digit((*text)[0]), low = high < 0 ? -1 : hex_digit((*text)[1]);
    if (low < 0) {
        return false;
    }
    *byte = (uint8_t)(high * 16 + low);
    *text += 2;
    return true;
}

/* A word in target order: the lowest byte first. */
static bool parse_word(const char **text, uint32_t *word) {
    *word = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t byte;
        if (!parse_byte(text, &byte)) {
            return false;
        }
        *word |= (uint32_t)byte << (8 * i);
    }
    return true;
}

static char *put_byte(char *at, uint8_t byte) {
    static const char digits[] = "0123456789abcdef";
    *at++ = digits[byte >> 4];
    *at++ = digits[byte & 15];
    return at;
}

static char *put_word(char *at, uint32_t word) {
    for (int i = 0; i < 4; i++) {
        at = put_byte(at, (uint8_t)(word >> (8 * i)));
    }
    return at;
}

/* ---- state of the core ---- */

static uint32_t pc_of(const ts__gdb *gdb) { return gdb->core->region != NULL ? ts__pc(gdb->core) : 0u; }

static uint32_t register_of(const ts__gdb *gdb, uint32_t number) {
    return number == 0 ? 0u : number < 32 ? gdb->core->r[number] : pc_of(gdb);
}

/* Has the core go on at `address`, in the memory that it executes from; time does not pass. */
static bool set_pc(ts__gdb *gdb, ts_sim *sim, uint32_t address) {
    ts__core *core = gdb->core;
    ts__region *region;
    if (address == pc_of(gdb)) {
        return true;
    }
    ts__slot *slot = core->region == NULL ? NULL : ts__slot_at(sim, address, &region);
    if (slot == NULL || region != core->region) {
        return false;
    }
    ts__decode(sim, region, slot);
    core->e = slot;
    core->next = (ts__slot *)((char *)slot + slot->step);
    return true;
}

static bool set_register(ts__gdb *gdb, ts_sim *sim, uint32_t number, uint32_t value) {
    if (number >= 1 && number < 32) {
        gdb->core->r[number] = value;
    }
    return number < 32 || (number == 32 && set_pc(gdb, sim, value));
}

static void read_registers(ts__gdb *gdb) {
    char *at = gdb->reply;
    for (uint32_t i = 0; i < REGISTERS; i++) {
        at = put_word(at, register_of(gdb, i));
    }
    *at = '\0';
    send_packet(gdb, gdb->reply);
}

static bool write_registers(ts__gdb *gdb, ts_sim *sim, const char *text) {
    bool good = true;
    for (uint32_t i = 0; i < REGISTERS && *text != '\0'; i++) {
        uint32_t value;
        good = parse_word(&text, &value) && set_register(gdb, sim, i, value) && good;
    }
    return good;
}

static bool write_register(ts__gdb *gdb, ts_sim *sim, const char *text) {
    uint32_t number, value;
    return parse_hex(&text, &number) && *text++ == '=' && parse_word(&text, &value) &&
           set_register(gdb, sim, number, value);
}

/* Answers with as many bytes as are memory. */
static void read_memory(ts__gdb *gdb, ts_sim *sim, const char *text) {
    uint32_t address, bytes, done = 0;
    if (!parse_pair(&text, &address, &bytes)) {
        send_packet(gdb, "E01");
        return;
    }
    char *at = gdb->reply;
    for (uint8_t byte; done < bytes && done < PACKET_BYTES / 2 && ts_sim_read(sim, address + done, &byte, 1);
         done++) {
        at = put_byte(at, byte);
    }
    *at = '\0';
    send_packet(gdb, done == 0 && bytes != 0 ? "E14" : gdb->reply);
}

static bool write_memory(ts_sim *sim, const char *text) {
    uint32_t address, bytes;
    if (!parse_pair(&text, &address, &bytes) || *text++ != ':') {
        return false;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        uint8_t byte;
        if (!parse_byte(&text, &byte) || !ts_sim_write(sim, address + i, &byte, 1)) {
            return false;
        }
    }
    return true;
}

/* ---- breakpoints and watchpoints ---- */

static bool set_breakpoint(ts__gdb *gdb, uint32_t address, bool insert) {
    for (uint32_t i = 0; i < gdb->breakpoint_count; i++) {
        if (gdb->breakpoints[i] == address) {
            if (!insert) {
                gdb->breakpoints[i] = gdb->breakpoints[--gdb->breakpoint_count];
            }
            return true;
        }
    }
    if (insert && gdb->breakpoint_count == BREAKPOINTS) {
        return false;
    }
    if (insert) {
        gdb->breakpoints[gdb->breakpoint_count++] = address;
    }
    return true;
}

static bool set_watchpoint(ts__gdb *gdb, char kind, uint32_t address, uint32_t bytes, bool insert) {
    for (uint32_t i = 0; i < gdb->watchpoint_count; i++) {
        const watchpoint *old = &gdb->watchpoints[i];
        if (old->address == address && old->bytes == bytes && old->kind == kind) {
            if (!insert) {
                gdb->watchpoints[i] = gdb->watchpoints[--gdb->watchpoint_count];
            }
            return true;
        }
    }
    if (insert && (gdb->watchpoint_count == WATCHPOINTS || bytes == 0)) {
        return false;
    }
    if (insert) {
        gdb->watchpoints[gdb->watchpoint_count++] = (watchpoint){address, bytes, kind};
    }
    return true;
}

/* "Z0,address,kind" and its like. */
static bool set_point(ts__gdb *gdb, const char *packet) {
    bool insert = packet[0] == 'Z';
    char kind = packet[1];
    uint32_t address, bytes;
    if (kind == '\0' || packet[2] != ',') {
        return false;
    }
    const char *text = packet + 3;
    if (!parse_pair(&text, &address, &bytes)) {
        return false;
    }
    return kind <= '1' ? set_breakpoint(gdb, address, insert)
                       : set_watchpoint(gdb, kind, address, bytes, insert);
}

static bool has_breakpoint(const ts__gdb *gdb, uint32_t pc) {
    for (uint32_t i = 0; i < gdb->breakpoint_count; i++) {
        if (gdb->breakpoints[i] == pc) {
            return true;
        }
    }
    return false;
}

/* The address that a load or store at `slot` is about to use. */
static uint32_t address_of(const ts__core *core, const ts_insn *insn) {
    uint32_t base = core->r[insn->rs1];
    const char *id = ts_isa_rows[insn->op].id;
    const char *mode = id + strlen(id) - 3;
    if (strcmp(mode, "_pi") == 0 || strcmp(mode, "_pr") == 0) {
        return base;
    }
    if (strcmp(mode, "_rr") == 0) {
        bool store = (ts_isa_flags(insn) & TS_F_STORE) != 0u;
        return base + core->r[store ? insn->rd : insn->rs2];
    }
    return base + (uint32_t)insn->imm;
}

/* Remembers a watchpoint that the instruction at the program counter is about to meet; it is reported
 * once the instruction is done. */
static void note_access(ts__gdb *gdb, ts_sim *sim) {
    uint32_t pc = pc_of(gdb), word = 0;
    ts_insn insn;
    gdb->hit = NULL;
    if (gdb->watchpoint_count == 0 || (!ts_sim_read(sim, pc, &word, 4) && !ts_sim_read(sim, pc, &word, 2)) ||
        !ts_isa_decode(word, sim->revision, &insn)) {
        return;
    }
    uint32_t flags = ts_isa_flags(&insn), bytes = TS_F_SIZE_BYTES(flags);
    if (bytes == 0u) {
        return;
    }
    bool store = (flags & TS_F_STORE) != 0u;
    uint32_t address = address_of(gdb->core, &insn);
    for (uint32_t i = 0; i < gdb->watchpoint_count; i++) {
        const watchpoint *point = &gdb->watchpoints[i];
        bool wanted = point->kind == '4' || (point->kind == '2') == store;
        if (wanted && (address - point->address < point->bytes || point->address - address < bytes)) {
            gdb->hit = point->kind == '2' ? "watch" : point->kind == '3' ? "rwatch" : "awatch";
            gdb->hit_address = address - point->address < point->bytes ? address : point->address;
        }
    }
}

/* ---- commands ---- */

static void send_features(ts__gdb *gdb, const char *text) {
    uint32_t offset, length, size = (uint32_t)strlen(target_description);
    if (!parse_pair(&text, &offset, &length) || offset > size) {
        send_packet(gdb, "E01");
        return;
    }
    uint32_t rest = size - offset;
    uint32_t sent = length < rest ? length : rest;
    snprintf(gdb->reply, sizeof gdb->reply, "%c%.*s", sent < rest ? 'm' : 'l', (int)sent,
             target_description + offset);
    send_packet(gdb, gdb->reply);
}

static bool starts_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void query(ts__gdb *gdb, const char *packet) {
    static const char features[] = "qXfer:features:read:target.xml:";
    if (starts_with(packet, "qSupported")) {
        snprintf(gdb->reply, sizeof gdb->reply, "PacketSize=%x;qXfer:features:read+;QStartNoAckMode+",
                 PACKET_BYTES);
        send_packet(gdb, gdb->reply);
    } else if (starts_with(packet, features)) {
        send_features(gdb, packet + strlen(features));
    } else if (strcmp(packet, "QStartNoAckMode") == 0) {
        send_packet(gdb, "OK");
        gdb->acknowledges = false;
    } else if (strcmp(packet, "qAttached") == 0) {
        send_packet(gdb, "1");
    } else if (strcmp(packet, "qC") == 0) {
        send_packet(gdb, "QC1");
    } else if (strcmp(packet, "qfThreadInfo") == 0) {
        send_packet(gdb, "m1");
    } else if (strcmp(packet, "qsThreadInfo") == 0) {
        send_packet(gdb, "l");
    } else {
        send_packet(gdb, "");
    }
}

static void send_outcome(ts__gdb *gdb, bool good) { send_packet(gdb, good ? "OK" : "E01"); }

static void disconnect(ts__gdb *gdb) {
    if (gdb->socket >= 0) {
        close(gdb->socket);
    }
    gdb->socket = -1;
    gdb->breakpoint_count = gdb->watchpoint_count = 0;
    gdb->stepping = false;
}

/* What the command loop does after a packet. */
typedef enum verdict { STAY, GO, KILL } verdict;

static verdict resume(ts__gdb *gdb, bool step) {
    gdb->stepping = step;
    return GO;
}

static verdict run_command(ts__gdb *gdb, const char *packet) {
    if (strcmp(packet, "vCont?") == 0) {
        send_packet(gdb, "vCont;c;C;s;S");
        return STAY;
    }
    if (starts_with(packet, "vCont;") && strchr("cCsS", packet[6]) != NULL && packet[6] != '\0') {
        return resume(gdb, packet[6] == 's' || packet[6] == 'S');
    }
    if (starts_with(packet, "vKill")) {
        send_packet(gdb, "OK");
        return KILL;
    }
    send_packet(gdb, "");
    return STAY;
}

static verdict command(ts__gdb *gdb, ts_sim *sim, const char *packet, const char *stopped) {
    switch (packet[0]) {
        case '?':
            send_packet(gdb, stopped);
            return STAY;
        case 'g':
            read_registers(gdb);
            return STAY;
        case 'G':
            send_outcome(gdb, write_registers(gdb, sim, packet + 1));
            return STAY;
        case 'P':
            send_outcome(gdb, write_register(gdb, sim, packet + 1));
            return STAY;
        case 'm':
            read_memory(gdb, sim, packet + 1);
            return STAY;
        case 'M':
            send_outcome(gdb, write_memory(sim, packet + 1));
            return STAY;
        case 'Z':
        case 'z':
            send_outcome(gdb, set_point(gdb, packet));
            return STAY;
        case 'H':
        case 'T':
            send_packet(gdb, "OK");
            return STAY;
        case 'q':
        case 'Q':
            query(gdb, packet);
            return STAY;
        case 'c':
        case 'C':
            return resume(gdb, false);
        case 's':
        case 'S':
            return resume(gdb, true);
        case 'v':
            return run_command(gdb, packet);
        case 'k':
            return KILL;
        case 'D':
            send_packet(gdb, "OK");
            disconnect(gdb);
            return GO;
        default:
            send_packet(gdb, "");
            return STAY;
    }
}

/* Answers the debugger until it lets the program run. A debugger that went away leaves it running. */
static void serve(ts__gdb *gdb, ts_sim *sim, const char *stopped) {
    for (verdict next = STAY; next == STAY && gdb->socket >= 0;) {
        if (receive_packet(gdb) < 0) {
            disconnect(gdb);
            return;
        }
        next = command(gdb, sim, gdb->packet, stopped);
        if (next == KILL) {
            disconnect(gdb);
            sim->stop = TS__STOPPED;
        }
    }
}

static void stop(ts__gdb *gdb, ts_sim *sim, const char *reason) {
    char text[64];
    snprintf(text, sizeof text, "%s", reason);
    gdb->stepping = false;
    send_packet(gdb, text);
    serve(gdb, sim, text);
}

/* True when the debugger sent its interrupt while the program was running. */
static bool interrupted(ts__gdb *gdb) {
    struct pollfd ready = {.fd = gdb->socket, .events = POLLIN};
    if (++gdb->since_poll < POLL_INTERVAL) {
        return false;
    }
    gdb->since_poll = 0;
    if (poll(&ready, 1, 0) <= 0) {
        return false;
    }
    int byte = receive_byte(gdb);
    if (byte < 0) {
        disconnect(gdb);
    }
    return byte == INTERRUPT;
}

void ts__gdb_look(ts__gdb *gdb, ts_sim *sim, ts__core *core) {
    char reason[64];
    if (gdb->socket < 0) {
        return;
    }
    const ts__slot *before = core->e;
    bool mine = core == gdb->core, skip = mine && gdb->skip;
    if (mine && gdb->hit != NULL) {
        snprintf(reason, sizeof reason, "T05%s:%x;", gdb->hit, gdb->hit_address);
        gdb->hit = NULL;
        stop(gdb, sim, reason);
    } else if (mine && !skip && (gdb->stepping || has_breakpoint(gdb, pc_of(gdb)))) {
        stop(gdb, sim, "S05");
    } else if (interrupted(gdb)) {
        stop(gdb, sim, "S02");
    }
    if (mine) {
        gdb->skip = core->e != before; /* moved: it comes back with the instruction there */
        note_access(gdb, sim);
    }
}

void ts__gdb_end(ts__gdb *gdb, ts_sim *sim) {
    char text[16];
    if (gdb->socket < 0) {
        return;
    }
    if (sim->stop == TS__EXITED) {
        snprintf(text, sizeof text, "W%02x", (unsigned)sim->exit_code & 0xffu);
        send_packet(gdb, text);
    } else {
        stop(gdb, sim, "S0b");
        if (gdb->socket >= 0) {
            send_packet(gdb, "X0b");
        }
    }
}

/* ---- connection ---- */

static ts_status socket_error(ts_diags *diags, uint16_t port, const char *what) {
    return ts_error(diags, TS_DIAG_TOOL, NULL, NULL, "cannot %s port %u for the debugger: %s", what, port,
                    strerror(errno));
}

static ts_status await_debugger(ts__gdb *gdb, uint16_t port, ts_diags *diags) {
    const int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    gdb->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (gdb->listener < 0) {
        return socket_error(diags, port, "open");
    }
    setsockopt(gdb->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(gdb->listener, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(gdb->listener, 1) != 0) {
        return socket_error(diags, port, "listen on");
    }
    do {
        gdb->socket = accept(gdb->listener, NULL, NULL);
    } while (gdb->socket < 0 && errno == EINTR);
    if (gdb->socket < 0) {
        return socket_error(diags, port, "accept on");
    }
    setsockopt(gdb->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return TS_OK;
}

ts_status ts__gdb_open(ts_sim *sim, uint16_t port, unsigned core, ts__gdb **out, ts_diags *diags) {
    ts__gdb *gdb = TS_NEW(sim->arena, ts__gdb);
    *out = gdb;
    gdb->listener = gdb->socket = -1;
    gdb->acknowledges = true;
    gdb->skip = true;
    if (core != TS_SIM_FC && core >= sim->core_count) {
        return ts_error(diags, TS_DIAG_USAGE, NULL, NULL, "there is no core %u to debug; this machine has %u",
                        core, sim->core_count);
    }
    gdb->core = &sim->core[core == TS_SIM_FC ? (unsigned)TS__FC : core];
    TS_TRY(await_debugger(gdb, port, diags));
    serve(gdb, sim, "S05");
    return TS_OK;
}

void ts__gdb_close(ts__gdb *gdb) {
    if (gdb != NULL) {
        disconnect(gdb);
        if (gdb->listener >= 0) {
            close(gdb->listener);
        }
        gdb->listener = -1;
    }
}

/*
 * The scheduler server, from both sides. As a client: processes that use up their quanta and count
 * how far they got. As the server itself, when a test puts this program into its place: policies
 * good and evil, chosen by the boot parameter `policy`. A client sets an evil policy off by
 * notifying the server, with the slot it is to abuse.
 */
#include "crew.h"

#define GO                                                                                         \
    0x80000000u /* the bit that sets a policy off; the slots that it is about stand below          \
                 */

static uint32_t asked;       /* questions so far */
static uint32_t asked_since; /* questions since the policy was set off */
static uint32_t go;          /* 0 until a client set the policy off */

static bool is_ready(const message_t *question, uint32_t slot)
{
    return slot < ENDPOINT_SLOTS && (question->payload[2 + slot / 32] >> slot % 32 & 1) != 0;
}

/* The next ready slot after `slot`, in a circle; SLOT_NONE when none is. */
static uint32_t next_ready(const message_t *question, uint32_t slot)
{
    for (uint32_t step = 1; step <= ENDPOINT_SLOTS; step++)
        if (is_ready(question, (slot + step) % ENDPOINT_SLOTS))
            return (slot + step) % ENDPOINT_SLOTS;
    return SLOT_NONE;
}

static uint32_t round_robin(const message_t *question)
{
    static uint32_t last;
    uint32_t slot = next_ready(question, last);
    return last = slot != SLOT_NONE ? slot : last;
}

/* Three quanta of four go to the slot of the favourite. */
static uint32_t favour(const message_t *question)
{
    uint32_t favourite = go & 0xff;
    return go != 0 && asked % 4 != 0 && is_ready(question, favourite) ? favourite
                                                                      : round_robin(question);
}

/* Every third answer, up to six, is a slot that cannot run: the one this is about, or, if that is
 * none, also the first one past the table. */
static uint32_t lie(const message_t *question)
{
    static uint32_t lies;
    uint32_t slot = go & ~GO;
    if (go == 0 || asked_since % 3 != 1 || lies == 6 || is_ready(question, slot))
        return round_robin(question);
    lies++;
    return slot >= ENDPOINT_SLOTS && lies % 2 == 0 ? ENDPOINT_SLOTS : slot;
}

static uint32_t hang(const message_t *question)
{
    while (go != 0)
        __asm__ volatile("");
    return round_robin(question);
}

static uint32_t doze(const message_t *question)
{
    if (go != 0)
        sleep(100000);
    return round_robin(question);
}

static uint32_t crash(const message_t *question)
{
    if (go != 0)
        __asm__ volatile("cli");
    return round_robin(question);
}

/* Checks the questions themselves; when twelve quanta have ended since it was set off, it reports
 * and ends the test. The kernel may ask at other times too: those questions do not count. */
static uint32_t witness(const message_t *question)
{
    static uint32_t wrong_sender, wrong_type, wrong_tick, itself, sleeper, no_spinner,
        spinner_ended, last_tick, ended;
    uint32_t spinning = go & 0xff, sleeping = go >> 8 & 0xff,
             self = (uint32_t)ipc_endpoint() % ENDPOINT_SLOTS;
    wrong_sender += question->sender != ENDPOINT_KERNEL;
    wrong_type += question->type != MESSAGE_SCHEDULE;
    wrong_tick +=
        (int32_t)(question->payload[1] - last_tick) < 0 || ticks() - question->payload[1] > 10;
    last_tick = question->payload[1];
    itself += is_ready(question, self);
    if (go != 0) {
        sleeper += is_ready(question, sleeping);
        no_spinner += question->payload[0] == spinning && !is_ready(question, spinning);
        spinner_ended += question->payload[0] == spinning;
        ended += question->payload[0] != SLOT_NONE;
    }
    if (ended == 12 || asked_since == 50) {
        probe_report("wrong_sender", wrong_sender);
        probe_report("wrong_type", wrong_type);
        probe_report("wrong_tick", wrong_tick);
        probe_report("itself_ready", itself);
        probe_report("sleeper_ready", sleeper);
        probe_report("spinner_unready", no_spinner);
        probe_report("spinner_ended", spinner_ended);
        probe_report("foreign_reply",
                     (uint32_t)(ipc_reply((uint32_t)ipc_service(SERVICE_PROCESS), question) < 0));
        probe_finish();
    }
    return round_robin(question);
}

/* The grader looks here whether the server is asked at all. */
__attribute__((noinline)) uint32_t decide(uint32_t (*policy)(const message_t *question),
                                          const message_t *question)
{
    asked++;
    asked_since += go != 0;
    return policy(question);
}

/* The scheduler server's loop, for any policy. */
static int serve(uint32_t (*policy)(const message_t *question))
{
    for (;;) {
        message_t message = {0};
        if (ipc_receive(ENDPOINT_KERNEL, &message, 0) != 0)
            return 1;
        if (message.type == MESSAGE_NOTIFICATION) {
            go = message.payload[0];
            continue;
        }
        message_t answer = {.type = MESSAGE_RUN};
        answer.payload[0] = decide(policy, &message);
        ipc_reply(ENDPOINT_KERNEL, &answer);
    }
}

/* Never listens at all. */
static int deaf(void)
{
    for (;;)
        sleep(100000);
    return 0;
}

static int serve_policy(void)
{
    static const struct {
        const char *name;
        uint32_t (*choose)(const message_t *question);
    } policies[] = {{"round_robin", round_robin},
                    {"favour", favour},
                    {"lie", lie},
                    {"hang", hang},
                    {"doze", doze},
                    {"crash", crash},
                    {"witness", witness}};
    char argument[PARAMETER_MAX + 1], policy[16] = "";
    parameter("argument", argument, sizeof argument);
    probe_text(argument, "policy", policy, sizeof policy);
    if (strcmp(policy, "deaf") == 0)
        return deaf();
    for (uint32_t i = 0; i < sizeof policies / sizeof policies[0]; i++)
        if (strcmp(policies[i].name, policy) == 0)
            return serve(policies[i].choose);
    return 1;
}

static uint32_t scheduler_endpoint(void)
{
    int endpoint = ipc_service(SERVICE_SCHEDULER);
    if (endpoint <= 0)
        crew_give_up("no_scheduler", endpoint);
    return (uint32_t)endpoint;
}

/* Whether a server that has ended is still named as the one that serves. */
static bool dead_serves(uint32_t scheduler)
{
    message_t letter;
    return ipc_receive(scheduler, &letter, IPC_NONBLOCKING) == E_DEAD &&
           ipc_service(SERVICE_SCHEDULER) == (int)scheduler;
}

#define DEAD_SERVES 0x800000

/* Computes from tick a (0: at once) until tick b, without ever giving the processor away. Its exit
 * status says how far it got (spinner_count), for how many ticks it was kept from running at most
 * (spinner_gap), and whether it saw a dead scheduler serve (DEAD_SERVES). */
static int spin(uint32_t scheduler)
{
    uint32_t count = 0, gap = 0, seen = 0;
    sleep_until(crew.a);
    uint32_t now = (uint32_t)ticks(), before = crew.a != 0 ? crew.a : now;
    for (;;) {
        gap = now - before > gap ? now - before : gap;
        before = now;
        if ((int32_t)(now - crew.b) >= 0)
            return (int)(count | seen | (gap < 0x7f ? gap : 0x7f) << 24);
        if (scheduler != 0 && dead_serves(scheduler))
            seen = DEAD_SERVES;
        for (volatile int i = 0; i < 500; i++)
            ;
        count++;
        now = (uint32_t)ticks();
    }
}

static int spinner(void)
{
    return spin(0);
}

/* A spinner that watches the scheduler server. */
static int watcher(void)
{
    return spin(scheduler_endpoint());
}

static uint32_t spinner_count(int status)
{
    return status < 0 ? 0 : (uint32_t)status & (DEAD_SERVES - 1);
}

static uint32_t spinner_gap(int status)
{
    return (uint32_t)status >> 24;
}

/* The same, having said where it is. */
static int known_spinner(void)
{
    return crew_hello() != 0 ? -1 : spinner();
}

/* Sleeps until tick b, having said where it is. */
static int sleeper(void)
{
    int result = crew_hello();
    sleep_until(crew.b);
    return result;
}

/* Three equal processes compute for b ticks. */
static int shares(void)
{
    uint32_t start = ticks() + CREW_LEAD;
    int pids[3];
    for (int i = 0; i < 3; i++)
        pids[i] = crew_start("spinner", start, start + crew.b);
    static const char *const keys[] = {"first", "second", "third"};
    for (int i = 0; i < 3; i++)
        probe_report(keys[i], spinner_count(crew_wait(pids[i])));
    probe_report("service", (uint32_t)ipc_service(SERVICE_SCHEDULER));
    probe_finish();
    return 0;
}

/* Two computing processes; the server is told to favour the first, then, with another two, the
 * second. This process then answers a question that nobody asked it. */
static int favourite(void)
{
    static const char *const favourites[] = {"favourite_0", "favourite_1"};
    static const char *const others[] = {"other_0", "other_1"};
    for (int chosen = 0; chosen < 2; chosen++) {
        uint32_t start = ticks() + CREW_LEAD, endpoints[2];
        int pids[2];
        for (int i = 0; i < 2; i++)
            pids[i] = crew_start_known("known_spinner", start, start + crew.b, &endpoints[i]);
        ipc_notify(scheduler_endpoint(), GO | endpoints[chosen] % ENDPOINT_SLOTS);
        probe_report(favourites[chosen], spinner_count(crew_wait(pids[chosen])));
        probe_report(others[chosen], spinner_count(crew_wait(pids[1 - chosen])));
    }
    message_t answer = {.type = MESSAGE_RUN,
                        .payload = {(uint32_t)ipc_endpoint() % ENDPOINT_SLOTS}};
    probe_report("usurper", (uint32_t)ipc_reply(ENDPOINT_KERNEL, &answer));
    probe_finish();
    return 0;
}

/* The slot that the liar names: that of a process which sleeps (a = 0), of one that has ended (1),
 * or none at all. */
static uint32_t useless_slot(uint32_t kind, uint32_t until)
{
    uint32_t endpoint;
    if (kind == 0) {
        crew_start_known("sleeper", 0, until, &endpoint);
        return endpoint % ENDPOINT_SLOTS;
    }
    if (kind == 1) {
        crew_wait(crew_start_known("sleeper", 0, 0, &endpoint));
        return endpoint % ENDPOINT_SLOTS;
    }
    return 0x01000000 + crew.nonce % 0x01000000;
}

/* Two computing processes, while the server answers with slots that cannot run. */
static int lied_to(void)
{
    uint32_t start = ticks() + CREW_LEAD, until = start + crew.b, scheduler = scheduler_endpoint();
    int pids[2] = {crew_start("spinner", start, until), crew_start("spinner", start, until)};
    uint32_t slot =
        useless_slot(crew.a, until); /* after the others, so that nobody gets the dead one's slot */
    sleep_until(start);
    ipc_notify(scheduler, GO | slot);
    probe_report("slot", slot);
    probe_report("first", spinner_count(crew_wait(pids[0])));
    probe_report("second", spinner_count(crew_wait(pids[1])));
    probe_finish();
    return 0;
}

/* Two computing processes, while the server stops answering (a = 0) or is killed. */
static int forsaken(void)
{
    uint32_t start = ticks() + CREW_LEAD, until = start + crew.b, scheduler = scheduler_endpoint(),
             pid = 0;
    int pids[2] = {crew_start("watcher", start, until), crew_start("watcher", start, until)};
    sleep_until(start);
    if (crew.a == 0) {
        ipc_notify(scheduler, GO);
    } else {
        crew_find("scheduler_server", &pid);
        probe_report("killed", (uint32_t)kill(pid));
    }
    int first = crew_wait(pids[0]), second = crew_wait(pids[1]);
    probe_report("first", spinner_count(first));
    probe_report("second", spinner_count(second));
    probe_report("longest", spinner_gap(first) > spinner_gap(second) ? spinner_gap(first)
                                                                     : spinner_gap(second));
    probe_report("dead_serves", ((first | second) & DEAD_SERVES) != 0);
    int later = crew_wait(crew_start("spinner", 0, ticks() + 2));
    probe_report("later", spinner_count(later) > 0);
    probe_finish();
    return 0;
}

static int filler(void)
{
    return sleep(1000);
}

/* For `witness`: somebody who computes and somebody who sleeps, and the server knows of both. Their
 * slots are so high, since others sleep in those below, that they stand in the second word. */
static int questions(void)
{
    uint32_t spinning, sleeping, scheduler = scheduler_endpoint();
    for (uint32_t started = 0; started < ENDPOINT_SLOTS / 2; started++)
        crew_start("filler", 0, 0);
    uint32_t until = ticks() + CREW_LEAD + 60;
    crew_start_known("sleeper", 0, until, &sleeping);
    crew_start_known("known_spinner", 0, until, &spinning);
    ipc_notify(scheduler, GO | sleeping % ENDPOINT_SLOTS << 8 | spinning % ENDPOINT_SLOTS);
    sleep_until(until);
    return 0;
}

/* The grader stops here: the new scheduler server is to decide from now on. */
__attribute__((noinline)) void scheduler_is_back(void)
{
    __asm__ volatile("");
}

/* Kills the scheduler server, and waits until there is a new one. */
static int restarted(void)
{
    uint32_t old = scheduler_endpoint(), pid = 0, start = ticks();
    crew_find("scheduler_server", &pid);
    probe_report("killed", (uint32_t)kill(pid));
    int endpoint = ipc_service(SERVICE_SCHEDULER);
    while ((endpoint <= 0 || endpoint == (int)old) && ticks() - start < 120) {
        sleep(1);
        endpoint = ipc_service(SERVICE_SCHEDULER);
    }
    probe_report("new", (uint32_t)endpoint);
    probe_report("another", endpoint != (int)old);
    probe_report("after", ticks() - start);
    scheduler_is_back();
    start = ticks() + CREW_LEAD;
    int pids[2] = {crew_start("spinner", start, start + 4),
                   crew_start("spinner", start, start + 4)};
    probe_report("first", spinner_count(crew_wait(pids[0])));
    probe_report("second", spinner_count(crew_wait(pids[1])));
    probe_finish();
    return 0;
}

int main(const char *argument)
{
    static const struct crew_role roles[] = {
        {"shares", shares},       {"favourite", favourite},
        {"lied_to", lied_to},     {"forsaken", forsaken},
        {"questions", questions}, {"restarted", restarted},
        {"spinner", spinner},     {"known_spinner", known_spinner},
        {"sleeper", sleeper},     {"filler", filler},
        {"watcher", watcher},     {NULL, NULL},
    };
    char role[20];
    if (!probe_text(argument, "role", role, sizeof role))
        return serve_policy();
    return crew_play("scheduling", argument, roles);
}

/* The team on the host: threads, or the calling thread alone. */
#ifndef TS_HAL_HOST_TEAM_H
#define TS_HAL_HOST_TEAM_H

uint32_t ts_core(void);
uint32_t ts_cores(void);
void ts_barrier(void);

/* Runs work(argument) on `cores` threads as a team and returns when all have ended; 0 when they ran. */
int ts_host_team(uint32_t cores, void (*work)(void *argument), void *argument);

#endif

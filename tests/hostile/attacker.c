/* SPDX-License-Identifier: MIT */
#include "tests/hostile/attacker.h"

#include <signal.h>
#include <sys/prctl.h>

#include "tests/hostile/talk.h"
#include "tests/support/helper.h"

#define FDS_WANTED 8192

void attacker_begin(const Attacker *attacker)
{
	attacker->board->attackers_ready++;
	while (attacker->board->attackers_ready < attacker->owners)
		usleep(1000);
}

void attacker_become_user(const Attacker *attacker)
{
	if (!helper_become_user(attacker->user))
		err(2, "cannot become %s", attacker->user);
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the user change, which clears it */
}

int attacker_connect(const Attacker *attacker)
{
	return helper_connect(attacker->socket);
}

int attacker_connect_as_agent(const Attacker *attacker)
{
	int connection = attacker_connect(attacker);

	talk_successfully(connection, "{\"method\":\"org.varlink.service.GetInfo\"}");
	return connection;
}

void attacker_hold_connections(const Attacker *attacker, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		attacker_connect(attacker);
}

pid_t attacker_start(const Attack *attack, const Attacker *attacker)
{
	pid_t pid = fork();

	if (pid < 0)
		err(2, "fork");
	if (pid > 0) {
		setpgid(pid, pid);
		return pid;
	}
	setpgid(0, 0);
	run_on_last_cpu();
	signal(SIGPIPE, SIG_IGN);
	raise_fd_limit(FDS_WANTED);
	if (!attack->stays_root)
		attacker_become_user(attacker);
	attack->run(attacker);
	errx(2, "the attack %s has ended", attack->name);
}

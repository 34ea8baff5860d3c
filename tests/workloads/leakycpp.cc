// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
// Threads that leak behind what C++ makes them with: std::thread in a vector, whose jobs never end.
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "workload.h"

namespace leaky
{
struct Job {
	int number;
};

class Server
{
      public:
	FRAME void submit(int number)
	{
		threads.emplace_back(&Server::work, this, Job{ number });
		__asm__ volatile("" ::: "memory");
	}

	void run()
	{
		for (int i = 0;; i++) {
			submit(i);
			std::this_thread::sleep_for(std::chrono::milliseconds(100));
		}
	}

      private:
	FRAME void work(Job job)
	{
		std::unique_lock<std::mutex> lock(mutex);

		cond.wait(lock, [&] { return job.number < 0; });
	}

	std::vector<std::thread> threads;
	std::mutex mutex;
	std::condition_variable cond;
};
} // namespace leaky

int main()
{
	static leaky::Server server;

	workload_init();
	std::thread([] { server.run(); }).detach();
	print_ready();
	wait_for_stop(nullptr);
	_Exit(0);
}

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/agent_core.h"
#include "master/core/command.h"
#include "master/core/desired.h"
#include "master/ingest/intake.h"
#include "master/ingest/report.h"

// What passes between simulated masters and agents: the protocol's messages as the cores know them.
namespace det::sim {

// One connection of one agent to one master. Both ends hold it; broken is for ever.
struct Connection {
  int64_t id = 0;
  AgentId agent;
  bool broken = false;
  int64_t session = 0;                     // once welcomed
  std::shared_ptr<ingest::Sender> sender;  // the master's
  // Reports travel as over a real stream: in order, none missing while the connection stands.
  int64_t shipped = 0;   // messages, by the agent
  int64_t received = 0;  // without a gap, by the master
  std::map<int64_t, std::vector<ingest::Report>> early;
};

// The master's end, as the agent sees it.
struct MasterPort {
  virtual ~MasterPort() = default;
  virtual void OnHello(std::shared_ptr<Connection> c, const core::ConnectAgent& hello) = 0;
  virtual void OnStatus(std::shared_ptr<Connection> c, const core::ReportStatus& status) = 0;
  virtual void OnHeartbeat(std::shared_ptr<Connection> c, int64_t generation) = 0;
  // `number` of the message on its connection, from 0.
  virtual void OnReports(std::shared_ptr<Connection> c,
                         int64_t number,
                         std::vector<ingest::Report> reports) = 0;
  virtual void OnBroken(std::shared_ptr<Connection> c) = 0;
};

// The agent's end, as the master sees it.
struct AgentPort {
  virtual ~AgentPort() = default;
  virtual void OnWelcome(std::shared_ptr<Connection> c, int64_t epoch) = 0;
  virtual void OnDesired(std::shared_ptr<Connection> c,
                         int64_t epoch,
                         const core::DesiredSet& set) = 0;
  virtual void OnStatusAck(std::shared_ptr<Connection> c,
                           AllocationId id,
                           core::AllocationState state) = 0;
  virtual void OnReportAck(std::shared_ptr<Connection> c, AllocationId id, int64_t seq) = 0;
};

}  // namespace det::sim

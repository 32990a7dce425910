#pragma once

// The messages of the public API by name, for headers that only pass them on.
namespace det::api::v1 {

class Agent;
class Checkpoint;
class Experiment;
class GetClusterResponse;
class GetExperimentResponse;
class GetTrialResponse;
class GetWorkspaceResponse;
class Job;
class ExplainResponse;
class LogLine;
class MetricPoint;
class MetricSummary;
class PlanExperimentResponse;
class TailLogsRequest;
class PreviewSearchResponse;
class Project;
class Reason;
class RoleGrant;
class Template;
class Token;
class Transition;
class Trial;
class User;
class WatchExperimentResponse;
class Workspace;

}  // namespace det::api::v1

namespace det::cli {

namespace api = ::det::api::v1;

}  // namespace det::cli

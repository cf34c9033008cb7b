/** Deletes a group; its devices stay. */
import { api } from "../api/client";
import { toast } from "../app/toasts";
import { ConfirmDialog } from "../parts";

export function GroupDialog({ open, group, onClose, onDone }: { open: boolean; group: string; onClose: () => void; onDone: () => void }) {
  return (
    <ConfirmDialog
      open={open}
      title={`Delete group ${group}?`}
      action="Delete 1 group"
      onConfirm={async () => {
        await api.del(`/management/v1/inventory/groups/${encodeURIComponent(group)}`);
        toast.ok(`Group ${group} is deleted.`);
        onDone();
      }}
      onClose={onClose}
    >
      <p>Its devices stay, but are in no group then. Roles and deployments that name the group no longer reach any device through it.</p>
    </ConfirmDialog>
  );
}
